//! Plots as SVG, for pages that are read in light and in dark.

use std::error::Error;

use plotters::prelude::*;

/// A picture as the text of its file.
pub type Svg = Result<String, Box<dyn Error>>;

const WIDTH: u32 = 760;
const ORANGE: RGBColor = RGBColor(0xe0, 0x9f, 0x3e);
const GREEN: RGBColor = RGBColor(0x3a, 0x7d, 0x44);
const FONT: &str = "sans-serif";

/// A line with a point for each of its values.
#[derive(Debug)]
pub struct Line<'l> {
    /// What the legend calls it.
    pub name: &'l str,
    /// From left to right.
    pub points: Vec<(f64, f64)>,
}

/// Lines beside each other, in one panel each: its title, and what is in it.
///
/// # Errors
///
/// If something is no number.
pub fn lines(x: &str, panels: &[(&str, Vec<Line<'_>>)]) -> Svg {
    let mut svg = String::new();
    {
        let root = SVGBackend::with_string(&mut svg, (WIDTH, 300)).into_drawing_area();
        root.fill(&WHITE)?;
        for (area, (title, lines)) in root.split_evenly((1, panels.len())).iter().zip(panels) {
            let points = || lines.iter().flat_map(|line| &line.points);
            let most = points().map(|point| point.1).fold(0.0, f64::max) * 1.15;
            let first = points().map(|point| point.0).fold(f64::INFINITY, f64::min);
            let last = points().map(|point| point.0).fold(0.0, f64::max);
            let mut chart = ChartBuilder::on(area)
                .margin(12)
                .caption(title, (FONT, 15))
                .x_label_area_size(38)
                .y_label_area_size(52)
                .build_cartesian_2d((first..last).log_scale(), 0.0..most)?;
            chart
                .configure_mesh()
                .light_line_style(WHITE)
                .x_desc(x)
                .x_label_formatter(&|value| short(*value))
                .y_label_formatter(&|value| short(*value))
                .draw()?;
            for (line, color) in lines.iter().zip([ORANGE, GREEN].into_iter().cycle()) {
                chart
                    .draw_series(LineSeries::new(
                        line.points.iter().copied(),
                        color.stroke_width(2),
                    ))?
                    .label(line.name)
                    .legend(move |(x, y)| {
                        PathElement::new([(x, y), (x + 16, y)], color.stroke_width(2))
                    });
                let dot = |point: &(f64, f64)| Circle::new(*point, 3, color.filled());
                chart.draw_series(line.points.iter().map(dot))?;
            }
            if lines.len() > 1 {
                chart
                    .configure_series_labels()
                    .position(SeriesLabelPosition::UpperLeft)
                    .background_style(WHITE.mix(0.8))
                    .label_font((FONT, 12))
                    .draw()?;
            }
        }
        root.present()?;
    }
    Ok(svg)
}

/// How much wider a plot of bars is for its legend.
const LEGEND: f64 = 1.22;

/// The same in all plots.
fn color(subject: &str) -> RGBColor {
    match subject {
        "bare-axum" => RGBColor(0x9e, 0x9e, 0x9e),
        "bare-layer" => RGBColor(0xcc, 0xcc, 0xcc),
        "by-hand" => RGBColor(0x5b, 0x8d, 0xb8),
        "tower-sessions" => ORANGE,
        "ours-cached" => RGBColor(0x8e, 0x5a, 0x9b),
        _ => GREEN,
    }
}

/// Groups of bars: one bar for each subject.
///
/// # Errors
///
/// If something is no number.
pub fn bars(title: &str, subjects: &[String], groups: &[(String, Vec<f64>)]) -> Svg {
    let mut svg = String::new();
    {
        let root = SVGBackend::with_string(&mut svg, (WIDTH, 320)).into_drawing_area();
        root.fill(&WHITE)?;
        let most = groups.iter().flat_map(|group| &group.1).copied().fold(0.0, f64::max) * 1.1;
        let mut chart = ChartBuilder::on(&root)
            .margin(12)
            .caption(title, (FONT, 15))
            .x_label_area_size(28)
            .y_label_area_size(52)
            .build_cartesian_2d(0.0..groups.len() as f64 * LEGEND, 0.0..most)?;
        chart
            .configure_mesh()
            .disable_x_mesh()
            .light_line_style(WHITE)
            .x_labels(0)
            .y_label_formatter(&|value| short(*value))
            .draw()?;
        let width = 0.8 / subjects.len() as f64;
        for (index, subject) in subjects.iter().enumerate() {
            let color = color(subject);
            let bar = |(group, (_, values)): (usize, &(String, Vec<f64>))| {
                let left = group as f64 + 0.1 + width * index as f64;
                let height = values.get(index).copied().unwrap_or_default();
                Rectangle::new([(left, 0.0), (left + 0.92 * width, height)], color.filled())
            };
            chart.draw_series(groups.iter().enumerate().map(bar))?.label(subject).legend(
                move |(x, y)| Rectangle::new([(x, y - 5), (x + 12, y + 5)], color.filled()),
            );
        }
        for (group, (name, _)) in groups.iter().enumerate() {
            let (x, y) = chart.backend_coord(&(group as f64 + 0.5, 0.0));
            let style = TextStyle::from((FONT, 12)).pos(plotters::style::text_anchor::Pos::new(
                plotters::style::text_anchor::HPos::Center,
                plotters::style::text_anchor::VPos::Top,
            ));
            root.draw(&Text::new(name.clone(), (x, y + 8), style))?;
        }
        chart
            .configure_series_labels()
            .position(SeriesLabelPosition::UpperRight)
            .background_style(WHITE.mix(0.8))
            .label_font((FONT, 12))
            .draw()?;
        root.present()?;
    }
    Ok(svg)
}

/// `2M`, `100k`, `7`, `0.5`.
fn short(value: f64) -> String {
    let (value, unit) = match value {
        1_000_000.0.. => (value / 1_000_000.0, "M"),
        1_000.0.. => (value / 1_000.0, "k"),
        _ => (value, ""),
    };
    let text = format!("{value:.1}");
    format!("{}{unit}", text.strip_suffix(".0").unwrap_or(&text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plot_names_what_it_shows() {
        let line = |name| Line { name, points: vec![(100_000.0, 2.0), (1_000_000.0, 3.0)] };
        let svg = lines("sessions", &[("µs", vec![line("a read"), line("a change")])]).unwrap();
        let groups = [("S2".to_owned(), vec![1.0, 2.5]), ("S3".to_owned(), vec![1.0, 4.0])];
        let subjects = ["bare".to_owned(), "ours".to_owned()];
        let bars = bars("a multiple of bare", &subjects, &groups).unwrap();
        for (svg, texts) in [(svg, ["a change", "sessions", "1M"]), (bars, ["ours", "S3", "bare"])]
        {
            assert!(svg.starts_with("<svg") && svg.ends_with("</svg>\n"), "{svg}");
            for text in texts {
                assert!(svg.contains(text), "{text} in {svg}");
            }
        }
    }

    #[test]
    fn numbers_on_an_axis_are_short() {
        let texts = [0.5, 7.0, 1_500.0, 100_000.0, 2e6].map(short);
        assert_eq!(texts, ["0.5", "7", "1.5k", "100k", "2M"]);
    }
}
