//! What backups and their files are called. A name tells when a backup was taken and of which cluster, and no two are
//! alike: the last part is drawn at random.

use std::fmt;
use std::str::FromStr;

use inventories::{ClusterName, SiteName};
use time::macros::format_description;
use time::{Duration, OffsetDateTime, PrimitiveDateTime};

use super::trailer::hex;

/// A backup: `SITE.CLUSTER.TIME.RANDOM`. Sorted by site, cluster and time.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct BackupId {
    /// The site that it is of.
    pub site: SiteName,
    /// The cluster that it is of.
    pub cluster: ClusterName,
    /// When it was started, in UTC, to the second.
    pub time: OffsetDateTime,
    random: String,
}

/// A text that names no backup.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("this is not the name of a backup, such as prod.main.20261129T140500Z.5f0c9a1b2c3d4e5f")]
pub struct NotAnId;

/// What a file of a target is, by its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileName {
    /// The sealed snapshot.
    Object(BackupId),
    /// The record that somebody opened it.
    Opening(BackupId),
    /// What is known of it.
    Sidecar(BackupId),
    /// One of the two, not whole yet.
    Part(BackupId),
}

const TIME: &[time::format_description::FormatItem<'_>] =
    format_description!("[year][month][day]T[hour][minute][second]Z");
/// Between the clocks of two operators' machines; more is a clock that was set wrong.
const CLOCKS_DIFFER: Duration = Duration::minutes(10);
const OBJECT: &str = ".db.age";
const SIDECAR: &str = ".json";
const OPENING: &str = ".opened.json";
const PART: &str = ".part";

impl BackupId {
    /// A name that no other backup has.
    ///
    /// # Errors
    /// The system gives no random bytes.
    pub fn draw(
        site: &SiteName,
        cluster: &ClusterName,
        now: OffsetDateTime,
    ) -> Result<Self, getrandom::Error> {
        let mut bytes = [0; 8];
        getrandom::fill(&mut bytes)?;
        Ok(Self {
            site: site.clone(),
            cluster: cluster.clone(),
            time: now.to_offset(time::UtcOffset::UTC).truncate_to_second(),
            random: hex(&bytes),
        })
    }

    /// Whether it was started later than now. Then its clock was wrong, or ours is, and its age says nothing.
    pub fn is_ahead(&self, now: OffsetDateTime) -> bool {
        self.time - now > CLOCKS_DIFFER
    }

    /// The file of the sealed snapshot.
    pub fn object(&self) -> String {
        format!("{self}{OBJECT}")
    }

    /// The file of what is known of it.
    pub fn sidecar(&self) -> String {
        format!("{self}{SIDECAR}")
    }

    /// The file of the record that somebody opened it.
    pub fn opening(&self) -> String {
        format!("{self}{OPENING}")
    }
}

/// What a file is called until it is whole.
pub fn part_of(file: &str) -> String {
    format!(".{file}{PART}")
}

/// The name that a file gets once it is whole, by the one that it has until then.
pub fn whole_of(part: &str) -> Option<&str> {
    part.strip_prefix('.')?.strip_suffix(PART)
}

impl FileName {
    /// `None` for what is not of quorate's making.
    pub fn read(name: &str) -> Option<Self> {
        let whole = |name: &str| {
            let id = |end| name.strip_suffix(end).and_then(|id| id.parse().ok());
            id(OBJECT)
                .map(Self::Object)
                .or_else(|| id(OPENING).map(Self::Opening))
                .or_else(|| id(SIDECAR).map(Self::Sidecar))
        };
        match whole_of(name) {
            Some(part) => whole(part).map(|whole| Self::Part(whole.id().clone())),
            None => whole(name),
        }
    }

    /// The backup that it belongs to.
    pub fn id(&self) -> &BackupId {
        let (Self::Object(id) | Self::Opening(id) | Self::Sidecar(id) | Self::Part(id)) = self;
        id
    }
}

impl fmt::Display for BackupId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { site, cluster, time, random } = self;
        let time = time.format(TIME).map_err(|_| fmt::Error)?;
        write!(f, "{site}.{cluster}.{time}.{random}")
    }
}

impl FromStr for BackupId {
    type Err = NotAnId;

    fn from_str(text: &str) -> Result<Self, NotAnId> {
        let parts: Vec<&str> = text.split('.').collect();
        let &[site, cluster, time, random] = parts.as_slice() else { return Err(NotAnId) };
        let is_hex = |c: char| matches!(c, '0'..='9' | 'a'..='f');
        if random.len() != 16 || !random.chars().all(is_hex) {
            return Err(NotAnId);
        }
        let id = Self {
            site: SiteName::new(site).map_err(|_| NotAnId)?,
            cluster: ClusterName::new(cluster).map_err(|_| NotAnId)?,
            time: PrimitiveDateTime::parse(time, TIME).map_err(|_| NotAnId)?.assume_utc(),
            random: random.to_owned(),
        };
        if id.to_string() == text { Ok(id) } else { Err(NotAnId) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    const ID: &str = "prod.main-2.20261129T140500Z.5f0c9a1b2c3d4e5f";

    #[test]
    fn a_name_is_read_as_it_is_written() {
        let id: BackupId = ID.parse().unwrap();
        assert_eq!((id.cluster.as_str(), id.time), ("main-2", datetime!(2026-11-29 14:05 UTC)));
        assert_eq!(id.to_string(), ID);
        assert_eq!(FileName::read(&id.object()), Some(FileName::Object(id.clone())));
        assert_eq!(FileName::read(&id.sidecar()), Some(FileName::Sidecar(id.clone())));
        assert_eq!(FileName::read(&id.opening()), Some(FileName::Opening(id.clone())));
        assert_eq!(FileName::read(&part_of(&id.opening())), Some(FileName::Part(id.clone())));
        assert_eq!(FileName::read(&part_of(&id.object())), Some(FileName::Part(id)));
    }

    #[test]
    fn no_other_file_is_ours() {
        let others = [
            "",
            "notes.json",
            "prod.main.20261129T140500Z.5f0c9a1b2c3d4e5f",
            "prod.main.20261329T140500Z.5f0c9a1b2c3d4e5f.json",
            "prod.main.20261129T140500Z.5F0C9A1B2C3D4E5F.json",
            "prod.main.20261129T140500Z.5f0c.json",
            "../prod.main.20261129T140500Z.5f0c9a1b2c3d4e5f.json",
            "prod.ma/in.20261129T140500Z.5f0c9a1b2c3d4e5f.json",
            "prod.main.20261129T140500Z.5f0c9a1b2c3d4e5f.json.part",
            "prod.main.20261129T140500Z.5f0c9a1b2c3d4e5f.db",
        ];
        for other in others {
            assert_eq!(FileName::read(other), None, "{other}");
        }
    }

    #[test]
    fn two_of_one_second_differ() {
        let (site, cluster) = (SiteName::new("prod").unwrap(), ClusterName::new("main").unwrap());
        let now = datetime!(2026-11-29 14:05:00.5 UTC);
        let one = BackupId::draw(&site, &cluster, now).unwrap();
        let other = BackupId::draw(&site, &cluster, now).unwrap();
        assert_ne!(one, other);
        assert_eq!(one.to_string().parse(), Ok(one));
    }
}
