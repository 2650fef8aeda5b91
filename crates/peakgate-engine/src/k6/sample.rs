//! Reads k6's JSON output, one line at a time.
//!
//! k6 writes some eleven lines of 230 bytes for each request, so the usual form is taken apart by
//! position; anything else goes through serde.

use std::borrow::Cow;
use std::collections::BTreeMap;

use memchr::memchr;
use peakgate_load::MetricKind;
use serde::Deserialize;

/// One line of k6's JSON output.
#[derive(Debug, PartialEq)]
pub(super) enum Line<'a> {
    /// A sample.
    Point(Point<'a>),
    /// The definition of a metric; comes before its first sample.
    Metric {
        /// Its name.
        name: String,
        /// Its type.
        kind: MetricKind,
    },
    /// Valid, and nothing that we need.
    Other,
    /// Not understood.
    Unreadable,
}

/// A sample.
#[derive(Debug, PartialEq)]
pub(super) struct Point<'a> {
    /// The metric's name.
    pub(super) metric: Cow<'a, [u8]>,
    /// When it was taken, in nanoseconds since 1970 (UTC).
    pub(super) time: i64,
    /// Its value; not finite when k6 wrote no number.
    pub(super) value: f64,
    /// A JSON object of tags as text; other fields of the sample may trail it.
    pub(super) tags: Cow<'a, [u8]>,
}

/// Reads lines; remembers the minute of the last time stamp, as parsing dates is dear.
#[derive(Debug, Default)]
pub(super) struct LineReader {
    minute_text: [u8; 16],
    minute: i64,
}

const HEAD: &[u8] = br#"{"metric":""#;
const POINT: &[u8] = br#"","type":"Point","data":{"time":""#;
const VALUE: &[u8] = br#"","value":"#;
const TAGS: &[u8] = br#","tags":"#;

impl LineReader {
    /// Reads one line, without its line feed.
    pub(super) fn read<'a>(&mut self, line: &'a [u8]) -> Line<'a> {
        match self.point(line) {
            Some(point) => Line::Point(point),
            None => self.loose(line),
        }
    }

    /// The usual form.
    fn point<'a>(&mut self, line: &'a [u8]) -> Option<Point<'a>> {
        let rest = line.strip_prefix(HEAD)?;
        let end = memchr(b'"', rest)?;
        let (metric, rest) = rest.split_at(end);
        let rest = rest.strip_prefix(POINT)?;
        let end = memchr(b'"', rest)?;
        let (time, rest) = rest.split_at(end);
        let rest = rest.strip_prefix(VALUE)?;
        let end = memchr(b',', rest)?;
        let (value, rest) = rest.split_at(end);
        let tags = rest.strip_prefix(TAGS)?.strip_suffix(b"}}")?;
        if tags.first() != Some(&b'{') {
            return None;
        }
        Some(Point {
            metric: Cow::Borrowed(metric),
            time: self.time(time)?,
            value: number(value)?,
            tags: Cow::Borrowed(tags),
        })
    }

    /// Anything else.
    fn loose<'a>(&mut self, line: &[u8]) -> Line<'a> {
        if line.trim_ascii().is_empty() {
            return Line::Other;
        }
        let Ok(loose) = serde_json::from_slice::<Loose>(line) else {
            return Line::Unreadable;
        };
        match loose.kind.as_ref() {
            "Point" => self
                .loose_point(loose)
                .map_or(Line::Unreadable, Line::Point),
            "Metric" => {
                let kind = loose.data.kind.as_deref().and_then(metric_kind);
                let name = loose.metric.or(loose.data.name);
                match (name, kind) {
                    (Some(name), Some(kind)) => Line::Metric {
                        name: name.into_owned(),
                        kind,
                    },
                    _ => Line::Unreadable,
                }
            }
            _ => Line::Other,
        }
    }

    fn loose_point<'a>(&mut self, loose: Loose) -> Option<Point<'a>> {
        Some(Point {
            metric: Cow::Owned(loose.metric?.into_owned().into_bytes()),
            time: self.time(loose.data.time?.as_bytes())?,
            value: match loose.data.value? {
                serde_json::Value::Number(n) => n.as_f64()?,
                // How a program that cannot write NaN or infinity in JSON may write them.
                serde_json::Value::Null | serde_json::Value::String(_) => f64::NAN,
                _ => return None,
            },
            tags: Cow::Owned(serde_json::to_vec(&loose.data.tags.unwrap_or_default()).ok()?),
        })
    }

    /// RFC 3339 with up to nine digits of a second, as Go writes it.
    fn time(&mut self, text: &[u8]) -> Option<i64> {
        let (head, rest) = text.split_at_checked(16)?;
        if head != self.minute_text {
            self.minute = minute(head)?;
            self.minute_text.copy_from_slice(head);
        }
        let [b':', a, b, rest @ ..] = rest else {
            return None;
        };
        let second = digit(*a)? * 10 + digit(*b)?;
        let (mut nanos, mut scale) = (0, 100_000_000);
        let mut rest = rest;
        if let [b'.', fraction @ ..] = rest {
            rest = fraction;
            while let [c, tail @ ..] = rest {
                let Some(n) = digit(*c) else { break };
                nanos += n * scale;
                scale /= 10;
                rest = tail;
            }
        }
        let offset = match rest {
            b"Z" => 0,
            [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] => {
                let east = (digit(*h1)? * 10 + digit(*h2)?) * 60 + digit(*m1)? * 10 + digit(*m2)?;
                if *sign == b'+' { east * 60 } else { -east * 60 }
            }
            _ => return None,
        };
        Some((self.minute + second - offset) * 1_000_000_000 + nanos)
    }
}

fn digit(c: u8) -> Option<i64> {
    c.is_ascii_digit().then(|| i64::from(c - b'0'))
}

fn number(text: &[u8]) -> Option<f64> {
    // Most samples are zeros and ones.
    match text {
        b"0" => Some(0.0),
        b"1" => Some(1.0),
        b"null" => Some(f64::NAN),
        _ => std::str::from_utf8(text).ok()?.parse().ok(),
    }
}

/// Seconds since 1970 at the start of a minute, `2026-11-24T11:25`.
fn minute(text: &[u8]) -> Option<i64> {
    let two = |i: usize| Some(digit(text[i])? * 10 + digit(text[i + 1])?);
    let separators = [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':')];
    if separators.iter().any(|&(i, c)| text[i] != c) {
        return None;
    }
    let (year, month, day) = (two(0)? * 100 + two(2)?, two(5)?, two(8)?);
    // Days since 1970 by Howard Hinnant's `days_from_civil` (howardhinnant.github.io/date_algorithms.html).
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * (month + if month > 2 { -3 } else { 9 }) + 2) / 5 + day - 1;
    let days = era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468;
    Some(((days * 24 + two(11)?) * 60 + two(14)?) * 60)
}

fn metric_kind(text: &str) -> Option<MetricKind> {
    Some(match text {
        "counter" => MetricKind::Counter,
        "gauge" => MetricKind::Gauge,
        "rate" => MetricKind::Rate,
        "trend" => MetricKind::Trend,
        _ => return None,
    })
}

/// Tags in the text of a [`Point`].
pub(super) fn parse_tags(text: &[u8]) -> Option<BTreeMap<Cow<'_, str>, Cow<'_, str>>> {
    // Only the first value: what trails the tags (metadata) is not ours.
    serde_json::Deserializer::from_slice(text)
        .into_iter::<BTreeMap<Cow<'_, str>, Cow<'_, str>>>()
        .next()?
        .ok()
}

#[derive(Deserialize)]
struct Loose<'a> {
    #[serde(borrow, rename = "type")]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    metric: Option<Cow<'a, str>>,
    #[serde(borrow)]
    data: LooseData<'a>,
}

#[derive(Deserialize)]
struct LooseData<'a> {
    #[serde(borrow)]
    name: Option<Cow<'a, str>>,
    #[serde(borrow, rename = "type")]
    kind: Option<Cow<'a, str>>,
    #[serde(borrow)]
    time: Option<Cow<'a, str>>,
    value: Option<serde_json::Value>,
    tags: Option<BTreeMap<String, String>>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(line: &str) -> (String, i64, f64, String) {
        match LineReader::default().read(line.as_bytes()) {
            Line::Point(p) => (
                String::from_utf8(p.metric.into_owned()).unwrap(),
                p.time,
                p.value,
                String::from_utf8(p.tags.into_owned()).unwrap(),
            ),
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn reads_samples_in_both_forms() {
        let fast = point(
            r#"{"metric":"http_req_duration","type":"Point","data":{"time":"2026-11-24T11:25:34.786821184Z","value":0.655991,"tags":{"group":"","scenario":"a"}}}"#,
        );
        assert_eq!(fast.0, "http_req_duration");
        assert_eq!(fast.1, 1_795_519_534_786_821_184);
        assert!((fast.2 - 0.655_991).abs() < 1e-12);
        assert_eq!(fast.3, r#"{"group":"","scenario":"a"}"#);
        let loose = point(
            r#"{"type":"Point", "data":{"tags":{"group":"","scenario":"a"},"value":0.655991,"time":"2026-11-24T12:25:34.786821184+01:00"},"metric":"http_req_duration"}"#,
        );
        assert_eq!(fast, loose);
    }

    #[test]
    fn dates() {
        for (text, seconds) in [
            ("1970-01-01T00:00:00Z", 0),
            ("2000-02-29T23:59:59.000Z", 951_868_799),
            ("2000-03-01T00:00:00-00:30", 951_870_600),
            ("2024-12-31T23:59:59Z", 1_735_689_599),
        ] {
            let read = LineReader::default().time(text.as_bytes());
            assert_eq!(read, Some(seconds * 1_000_000_000), "{text}");
        }
        for bad in [
            "",
            "2024",
            "2024-12-31 23:59:59Z",
            "2024-12-31T23:59:59",
            "x",
        ] {
            assert_eq!(LineReader::default().time(bad.as_bytes()), None, "{bad}");
        }
    }

    #[test]
    fn odd_lines() {
        let mut reader = LineReader::default();
        assert_eq!(reader.read(b""), Line::Other);
        assert_eq!(reader.read(b"{\"metric\":\"x"), Line::Unreadable);
        assert_eq!(
            reader.read(br#"{"type":"New","metric":"x","data":{}}"#),
            Line::Other
        );
        let metric = reader.read(br#"{"type":"Metric","data":{"name":"xx","type":"trend","contains":"time","thresholds":[],"submetrics":null},"metric":"xx"}"#);
        assert_eq!(
            metric,
            Line::Metric {
                name: "xx".into(),
                kind: MetricKind::Trend
            }
        );
        let nan = r#"{"metric":"xx","type":"Point","data":{"time":"2024-12-31T23:59:59Z","value":null,"tags":{}}}"#;
        assert!(point(nan).2.is_nan());
        let metadata = br#"{"a":"b \"q\""},"metadata":{"vu":"1"}"#;
        assert_eq!(parse_tags(metadata).unwrap()["a"], "b \"q\"");
    }
}
