//! The part of Prometheus' remote-write protocol (1.0, with native histograms) that k6 speaks.
//!
//! Field numbers are those of Prometheus' published `remote.proto` and `types.proto`.

use prost::Message;

#[derive(Clone, PartialEq, Message)]
pub(super) struct WriteRequest {
    #[prost(message, repeated, tag = "1")]
    pub(super) timeseries: Vec<TimeSeries>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct TimeSeries {
    #[prost(message, repeated, tag = "1")]
    pub(super) labels: Vec<Label>,
    #[prost(message, repeated, tag = "2")]
    pub(super) samples: Vec<Sample>,
    #[prost(message, repeated, tag = "4")]
    pub(super) histograms: Vec<NativeHistogram>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Label {
    #[prost(string, tag = "1")]
    pub(super) name: String,
    #[prost(string, tag = "2")]
    pub(super) value: String,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Sample {
    #[prost(double, tag = "1")]
    pub(super) value: f64,
    /// Milliseconds since 1970.
    #[prost(int64, tag = "2")]
    pub(super) timestamp: i64,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct NativeHistogram {
    #[prost(double, tag = "3")]
    pub(super) sum: f64,
    #[prost(sint32, tag = "4")]
    pub(super) schema: i32,
    #[prost(uint64, tag = "6")]
    pub(super) zero_count: u64,
    #[prost(message, repeated, tag = "8")]
    pub(super) negative_spans: Vec<BucketSpan>,
    #[prost(sint64, repeated, tag = "9")]
    pub(super) negative_deltas: Vec<i64>,
    #[prost(message, repeated, tag = "11")]
    pub(super) positive_spans: Vec<BucketSpan>,
    #[prost(sint64, repeated, tag = "12")]
    pub(super) positive_deltas: Vec<i64>,
    #[prost(int64, tag = "15")]
    pub(super) timestamp: i64,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct BucketSpan {
    /// Gap to the previous span, or the first bucket's index.
    #[prost(sint32, tag = "1")]
    pub(super) offset: i32,
    #[prost(uint32, tag = "2")]
    pub(super) length: u32,
}

/// No honest message is larger.
const MAX_MESSAGE: usize = 256 << 20;

/// Decodes a request's body.
pub(super) fn decode(body: &[u8]) -> Option<WriteRequest> {
    if snap::raw::decompress_len(body).ok()? > MAX_MESSAGE {
        return None;
    }
    let plain = snap::raw::Decoder::new().decompress_vec(body).ok()?;
    WriteRequest::decode(plain.as_slice()).ok()
}

/// A bucket's place: its sign (-1, 0, 1) and index.
pub(super) type Bucket = (i8, i32);

impl NativeHistogram {
    /// The cumulative counts by bucket; `None` when the spans and counts do not fit.
    pub(super) fn buckets(&self) -> Option<Vec<(Bucket, u64)>> {
        let mut out = Vec::new();
        if self.zero_count > 0 {
            out.push(((0, 0), self.zero_count));
        }
        for (sign, spans, deltas) in [
            (-1, &self.negative_spans, &self.negative_deltas),
            (1, &self.positive_spans, &self.positive_deltas),
        ] {
            let mut deltas = deltas.iter();
            let (mut index, mut count) = (0_i32, 0_i64);
            for span in spans {
                index = index.checked_add(span.offset)?;
                for _ in 0..span.length {
                    count = count.checked_add(*deltas.next()?)?;
                    out.push(((sign, index), u64::try_from(count).ok()?));
                    index = index.checked_add(1)?;
                }
            }
            if deltas.next().is_some() {
                return None;
            }
        }
        Some(out)
    }
}

/// A bucket's geometric middle: bucket `i` of schema `s` is (2^((i−1)·2^−s), 2^(i·2^−s)]
/// (Prometheus, "Native Histograms", the section on schemas).
pub(super) fn middle((sign, index): Bucket, schema: i32) -> f64 {
    if sign == 0 {
        return 0.0;
    }
    let exponent = (f64::from(index) - 0.5) * (-f64::from(schema)).exp2();
    f64::from(sign) * exponent.exp2()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_follow_spans() {
        let span = |offset, length| BucketSpan { offset, length };
        let histogram = NativeHistogram {
            schema: 3,
            zero_count: 4,
            positive_spans: vec![span(-2, 2), span(3, 1)],
            positive_deltas: vec![5, -2, 7],
            ..NativeHistogram::default()
        };
        let buckets = histogram.buckets().unwrap();
        assert_eq!(
            buckets,
            [((0, 0), 4), ((1, -2), 5), ((1, -1), 3), ((1, 3), 10)]
        );
        // The definition: the middle is at most 2^(1/16) away from both edges.
        for ((sign, index), _) in buckets.into_iter().skip(1) {
            let mid = middle((sign, index), 3);
            let (low, high) = (
                (f64::from(index - 1) / 8.0).exp2(),
                (f64::from(index) / 8.0).exp2(),
            );
            assert!(low < mid && mid < high);
            assert!(high / mid - 1.0 < 0.0443 && 1.0 - low / mid < 0.0443);
        }
        let cut = NativeHistogram {
            positive_spans: vec![span(0, 3)],
            positive_deltas: vec![1],
            ..NativeHistogram::default()
        };
        assert_eq!(cut.buckets(), None);
    }

    #[test]
    fn rubbish_is_refused() {
        assert!(decode(b"rubbish").is_none());
        let bytes = snap::raw::Encoder::new()
            .compress_vec(b"\xff\xff\xff")
            .unwrap();
        assert!(decode(&bytes).is_none());
        let good = WriteRequest::default().encode_to_vec();
        assert!(decode(&snap::raw::Encoder::new().compress_vec(&good).unwrap()).is_some());
    }
}
