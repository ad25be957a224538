//! The parts of docs/performance.md that this program prints.

use std::fs;

use session_benches::marked::replace_marked;

use crate::options::Options;
use crate::{
    Result, derive, footprint, heap, memory, places, profile, provenance, redis, scale, socket, sql,
};

const DOCUMENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/performance.md");
const PLOTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/plots");

/// A part, between marks of its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Section {
    Memory,
    Places,
    Redis,
    Sql,
    Heap,
    Scale,
    Socket,
    Derive,
    Footprint,
}

impl Section {
    pub(crate) const ALL: [Self; 9] = [
        Self::Memory,
        Self::Places,
        Self::Redis,
        Self::Sql,
        Self::Heap,
        Self::Scale,
        Self::Socket,
        Self::Derive,
        Self::Footprint,
    ];

    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|section| section.name() == name)
    }

    fn name(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Places => "places",
            Self::Redis => "redis",
            Self::Sql => "sql",
            Self::Heap => "heap",
            Self::Scale => "scale",
            Self::Socket => "socket",
            Self::Derive => "derive",
            Self::Footprint => "footprint",
        }
    }

    fn measure(self, options: &Options) -> Result<Measured> {
        match self {
            Self::Memory => memory::measure(options),
            Self::Places => places::measure(options),
            Self::Redis => redis::tables::measure(options),
            Self::Sql => sql::tables::measure(options),
            Self::Heap => heap::measure(options),
            Self::Scale => scale::measure(options),
            Self::Socket => socket::measure(options),
            Self::Derive => derive::tables::measure(options),
            Self::Footprint => footprint::measure(options),
        }
    }

    fn mark(self) -> String {
        format!("bench: {}", self.name())
    }
}

/// What a section shows.
pub(crate) struct Measured {
    pub(crate) tables: String,
    /// Pictures that the tables link to.
    pub(crate) plots: Vec<Plot>,
    /// Servers and packages that took part, with their versions.
    pub(crate) versions: String,
}

/// A picture in docs/plots.
pub(crate) struct Plot {
    pub(crate) name: String,
    pub(crate) title: String,
    pub(crate) svg: String,
}

impl Plot {
    pub(crate) fn link(&self) -> String {
        format!("![{}](plots/{}.svg)", self.title, self.name)
    }
}

/// Prints the sections that were asked for.
pub(crate) fn run(options: &Options) -> Result {
    if let Some(profile) = &options.profile {
        return profile::run(profile);
    }
    // Better now than after the measurement.
    if options.write {
        if provenance::is_changed() {
            return Err(
                "`--write` wants the code to be committed, for the tables name the commit".into()
            );
        }
        options.sections.iter().try_for_each(|section| replaced(*section, "").map(drop))?;
    }
    // Of the program that runs, whatever is changed while it does.
    let commit = provenance::commit();
    for section in &options.sections {
        let measured = section.measure(options)?;
        let text = format!(
            "{}\n\n{}",
            provenance::of(section.name(), &commit, options, &measured),
            measured.tables
        );
        println!("\n{text}");
        if options.write {
            write(*section, &text)?;
            fs::create_dir_all(PLOTS)?;
            for plot in &measured.plots {
                fs::write(format!("{PLOTS}/{}.svg", plot.name), &plot.svg)?;
            }
        }
    }
    Ok(())
}

fn write(section: Section, text: &str) -> Result {
    Ok(fs::write(DOCUMENT, replaced(section, text)?)?)
}

fn replaced(section: Section, text: &str) -> Result<String> {
    let mark = section.mark();
    let replaced = replace_marked(&fs::read_to_string(DOCUMENT)?, &mark, text);
    replaced.ok_or_else(|| format!("docs/performance.md has no place marked `{mark}`").into())
}
