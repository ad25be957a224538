//! Describes the effects of a schema change on stored sessions.

use std::fmt;

/// What happens to the sessions that the released version stored, least severe first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Severity {
    /// Nothing visible.
    Harmless,
    /// They are read, with a difference.
    Note,
    /// Something reads as its default, or not at all, or the lock cannot tell.
    LosesData,
    /// Signed-in users are signed out.
    SignsOut,
    /// Requests with such a session fail.
    Fails,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Harmless => "fine",
            Self::Note => "note",
            Self::LosesData => "LOSES DATA",
            Self::SignsOut => "SIGNS PEOPLE OUT",
            Self::Fails => "FAILS",
        })
    }
}

/// One change and its effect.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finding {
    /// The stored name, without the namespace; `None` for the schema itself.
    pub field: Option<String>,
    /// How severe the effect is.
    pub severity: Severity,
    /// What changed.
    pub change: String,
    /// The effect on stored sessions.
    pub effect: String,
    /// What to write if that is not intended.
    pub cure: Option<String>,
}

/// The effects of the changes of one schema.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report {
    /// The struct's name.
    pub schema: String,
    /// The changes, in the order of the fields. Empty if only samples differ.
    pub findings: Vec<Finding>,
}

impl Report {
    /// Returns the highest severity of the findings.
    #[must_use]
    pub fn severity(&self) -> Severity {
        let severities = self.findings.iter().map(|finding| finding.severity);
        severities.max().unwrap_or(Severity::Harmless)
    }

    /// Whether every stored session is read unchanged, or with minor differences.
    #[must_use]
    pub fn survives(&self) -> bool {
        self.severity() < Severity::LosesData
    }

    /// Returns the findings about a field, most severe first.
    #[must_use]
    pub fn of(&self, field: &str) -> Vec<&Finding> {
        let of = self.findings.iter().filter(|finding| finding.field.as_deref() == Some(field));
        let mut of: Vec<_> = of.collect();
        of.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
        of
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.findings.is_empty() {
            return writeln!(f, "\n  `{}`: only its samples changed.", self.schema);
        }
        for finding in &self.findings {
            let Finding { severity, change, effect, cure, .. } = finding;
            match &finding.field {
                Some(field) => writeln!(f, "\n  {}.{field}: {severity}", self.schema)?,
                None => writeln!(f, "\n  {}: {severity}", self.schema)?,
            }
            writeln!(f, "    Changed: {change}.")?;
            writeln!(f, "    Stored sessions: {effect}.")?;
            if let Some(cure) = cure {
                writeln!(f, "    Write: {cure}.")?;
            }
        }
        Ok(())
    }
}
