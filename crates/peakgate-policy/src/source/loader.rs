//! From text to nodes, within bounds: size, depth, and the number of nodes after aliases are
//! expanded, so that no input costs more than a policy can be worth.

use std::collections::HashMap;

use saphyr_parser::{Event, Parser, ScalarStyle, Span};

use super::{Data, Entry, Node, Place, Position, Scalar, core_schema};
use crate::diagnostic::{Code, Diagnostic};

/// The longest text that is read at all, in bytes.
pub const MAX_BYTES: usize = 1024 * 1024;
/// The deepest nesting.
pub const MAX_DEPTH: usize = 64;
/// The most values, counted after aliases are expanded.
pub const MAX_NODES: usize = 20_000;

/// Reads a text. Duplicate keys and the like do not stop it; what makes the rest unreadable does,
/// and then there is no node. `problems` receives all that was wrong.
pub(crate) fn load(text: &str, problems: &mut Vec<Diagnostic>) -> Option<Node> {
    if text.len() > MAX_BYTES {
        problems.push(
            Diagnostic::new(
                Code::TooLarge,
                format!(
                    "the policy is {} bytes long; the most that is read is {MAX_BYTES} (1 MiB)",
                    text.len()
                ),
            )
            .help("check that this is the policy and not a result or a log"),
        );
        return None;
    }
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut builder = Builder {
        problems,
        nodes: 0,
        anchored: 0,
        anchors: HashMap::new(),
        stack: Vec::new(),
        root: None,
        documents: 0,
    };
    for event in Parser::new_from_str(text) {
        let go_on = match event {
            Ok((event, span)) => builder.event(event, span),
            Err(error) => {
                let place = Place {
                    position: position(error.marker().line(), error.marker().col()),
                    width: 1,
                };
                // The scanner reads ahead and has a bound on brackets of its own.
                if error.info().contains("recursion limit") {
                    builder.too_deep(place)
                } else {
                    builder.problems.push(syntax(text, place, error.info()));
                    false
                }
            }
        };
        if !go_on {
            return None;
        }
    }
    match builder.root {
        Some(node) if matches!(node.data, Data::Map(_)) => Some(node),
        Some(Node {
            data: Data::Null, ..
        })
        | None => {
            problems.push(
                Diagnostic::new(Code::Empty, "the policy is empty")
                    .help("`peakgate init` writes a first policy from your k6 scripts"),
            );
            None
        }
        Some(node) => {
            problems.push(
                Diagnostic::new(
                    Code::NotAMapping,
                    format!(
                        "the policy must be a mapping of keys at the top, not {}",
                        describe(&node.data)
                    ),
                )
                .at(node.place)
                .help("start with `service: my-service`"),
            );
            None
        }
    }
}

/// What a value is, with its article: `a list`.
pub(crate) fn describe(data: &Data) -> &'static str {
    match data {
        Data::Null => "nothing (null)",
        Data::Bool(_) => "true or false",
        Data::Number(..) => "a number",
        Data::Text(_) => "text",
        Data::List(_) => "a list",
        Data::Map(_) => "a mapping",
    }
}

fn syntax(text: &str, place: Place, info: &str) -> Diagnostic {
    let line = (place.position.line as usize)
        .checked_sub(1)
        .and_then(|n| text.lines().nth(n))
        .unwrap_or_default();
    let indent = line.len() - line.trim_start().len();
    let help = if line[..indent].contains('\t') {
        "YAML indents with spaces; this line begins with a tab"
    } else {
        "quote values that begin with one of { [ * & ! % @ ` or that contain ': ' or ' #'"
    };
    Diagnostic::new(Code::Syntax, format!("not valid YAML: {info}"))
        .at(place)
        .help(help)
}

fn position(line: usize, column: usize) -> Position {
    Position {
        line: u32::try_from(line).unwrap_or(u32::MAX),
        column: u32::try_from(column + 1).unwrap_or(u32::MAX),
    }
}

fn place(span: Span) -> Place {
    let width = if span.start.line() == span.end.line() {
        span.end.col().saturating_sub(span.start.col())
    } else {
        1
    };
    Place {
        position: position(span.start.line(), span.start.col()),
        width: u32::try_from(width.max(1)).unwrap_or(1),
    }
}

struct Builder<'p> {
    problems: &'p mut Vec<Diagnostic>,
    nodes: usize,
    anchored: usize,
    /// Anchored nodes and how many nodes each holds.
    anchors: HashMap<usize, (Node, usize)>,
    stack: Vec<Open>,
    root: Option<Node>,
    documents: usize,
}

/// A list or mapping that has not ended.
struct Open {
    place: Place,
    anchor: usize,
    /// The builder's count when it began.
    nodes_before: usize,
    kind: OpenKind,
}

enum OpenKind {
    List(Vec<Node>),
    Map {
        entries: Vec<Entry>,
        /// Key → its first place, so that a big mapping is not searched again for each key.
        seen: HashMap<String, Place>,
        key: Option<Key>,
    },
}

enum Key {
    /// A key that waits for its value.
    Good(String, Place),
    /// A key that was complained about; its value is dropped.
    Bad,
}

impl Builder<'_> {
    fn refuse(&mut self, code: Code, place: Place, message: String, help: &str) -> bool {
        self.problems
            .push(Diagnostic::new(code, message).at(place).help(help));
        false
    }

    /// Takes an event; false when the rest must not be read.
    fn event(&mut self, event: Event<'_>, span: Span) -> bool {
        let at = place(span);
        match event {
            Event::DocumentStart(_) => {
                self.documents += 1;
                if self.documents > 1 {
                    return self.refuse(
                        Code::YamlFeature,
                        at,
                        "a second YAML document begins here; a policy is one document".into(),
                        "remove the `---`, or move the rest into a file of its own",
                    );
                }
                true
            }
            Event::Scalar(text, style, anchor, tag) => {
                let quoted_by_tag = match &tag {
                    None => false,
                    Some(tag) if tag.is_yaml_core_schema() && tag.suffix == "str" => true,
                    Some(tag) => {
                        return self.refuse(
                            Code::YamlFeature,
                            at,
                            format!("YAML tags such as `{tag}` mean nothing in a policy"),
                            "remove the tag",
                        );
                    }
                };
                let data = if style == ScalarStyle::Plain && !quoted_by_tag {
                    match core_schema(&text) {
                        Scalar::Null => Data::Null,
                        Scalar::Bool(b) => Data::Bool(b),
                        Scalar::Number(n) => Data::Number(n, text.into_owned()),
                        Scalar::Text => Data::Text(text.into_owned()),
                    }
                } else {
                    Data::Text(text.into_owned())
                };
                let node = Node {
                    place: at,
                    data,
                    plain: style == ScalarStyle::Plain && !quoted_by_tag,
                    interpolated: false,
                };
                self.finish(node, anchor, 1, false)
            }
            Event::SequenceStart(_, Some(_)) | Event::MappingStart(_, Some(_)) => self.refuse(
                Code::YamlFeature,
                at,
                "YAML tags mean nothing in a policy".into(),
                "remove the tag",
            ),
            Event::SequenceStart(anchor, _) => self.open(at, anchor, OpenKind::List(Vec::new())),
            Event::MappingStart(anchor, _) => self.open(
                at,
                anchor,
                OpenKind::Map {
                    entries: Vec::new(),
                    seen: HashMap::new(),
                    key: None,
                },
            ),
            Event::SequenceEnd | Event::MappingEnd => {
                let Some(open) = self.stack.pop() else {
                    return true;
                };
                let size = self.nodes - open.nodes_before + 1;
                let node = Node {
                    place: open.place,
                    data: match open.kind {
                        OpenKind::List(items) => Data::List(items),
                        OpenKind::Map { entries, .. } => Data::Map(entries),
                    },
                    plain: false,
                    interpolated: false,
                };
                self.finish(node, open.anchor, size, true)
            }
            Event::Alias(anchor) => {
                let Some((node, size)) = self.anchors.get(&anchor) else {
                    return self.refuse(
                        Code::YamlFeature,
                        at,
                        "this alias refers to something that contains it".into(),
                        "write the value out",
                    );
                };
                // Counted before it is copied: a bomb must not go off to be refused.
                if self.nodes + size > MAX_NODES {
                    return self.too_many(at);
                }
                if self.stack.len() + depth(node) > MAX_DEPTH {
                    return self.too_deep(at);
                }
                let (node, size) = (node.clone(), *size);
                self.finish(node, 0, size, false)
            }
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => true,
        }
    }

    fn too_many(&mut self, at: Place) -> bool {
        self.refuse(
            Code::TooManyNodes,
            at,
            format!("the policy grows past {MAX_NODES} values here, aliases expanded"),
            "aliases that repeat aliases multiply; write the values out or split the policy",
        )
    }

    fn too_deep(&mut self, at: Place) -> bool {
        self.refuse(
            Code::TooDeep,
            at,
            format!("nested more than {MAX_DEPTH} deep; no policy needs that"),
            "look for a bracket or an indentation too many",
        )
    }

    fn open(&mut self, place: Place, anchor: usize, kind: OpenKind) -> bool {
        if self.stack.len() >= MAX_DEPTH {
            return self.too_deep(place);
        }
        self.nodes += 1;
        if self.nodes > MAX_NODES {
            return self.too_many(place);
        }
        self.stack.push(Open {
            place,
            anchor,
            nodes_before: self.nodes,
            kind,
        });
        true
    }

    /// Counts a scalar or a copy, keeps what is anchored, and puts the node where it belongs.
    fn finish(&mut self, node: Node, anchor: usize, size: usize, counted: bool) -> bool {
        if !counted {
            self.nodes += size;
            if self.nodes > MAX_NODES {
                return self.too_many(node.place);
            }
        }
        if anchor != 0 {
            // Anchors within anchors are kept once for each: that has a bound too.
            self.anchored += size;
            if self.anchored > MAX_NODES {
                return self.too_many(node.place);
            }
            self.anchors.insert(anchor, (node.clone(), size));
        }
        self.place_node(node)
    }

    fn place_node(&mut self, node: Node) -> bool {
        let Some(open) = self.stack.last_mut() else {
            self.root = Some(node);
            return true;
        };
        match &mut open.kind {
            OpenKind::List(items) => items.push(node),
            OpenKind::Map { entries, seen, key } => match key.take() {
                Some(Key::Good(name, at)) => entries.push(Entry {
                    key: name,
                    place: at,
                    value: node,
                }),
                Some(Key::Bad) => {}
                None => {
                    let (new, problem) = read_key(&node, seen);
                    *key = Some(new);
                    self.problems.extend(problem);
                }
            },
        }
        true
    }
}

fn depth(node: &Node) -> usize {
    match &node.data {
        Data::List(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Data::Map(entries) => 1 + entries.iter().map(|e| depth(&e.value)).max().unwrap_or(0),
        _ => 0,
    }
}

fn read_key(node: &Node, seen: &mut HashMap<String, Place>) -> (Key, Option<Diagnostic>) {
    let Some(name) = node.scalar_text().or_else(|| {
        // `null:` as a key is a name like any other; an empty key is not.
        matches!(node.data, Data::Null).then(|| "null".to_owned())
    }) else {
        let problem = Diagnostic::new(
            Code::YamlFeature,
            format!("a key must be a name, not {}", describe(&node.data)),
        )
        .at(node.place)
        .help("a value with { } needs quotes when it stands before a colon");
        return (Key::Bad, Some(problem));
    };
    if name == "<<" {
        let problem = Diagnostic::new(
            Code::YamlFeature,
            "merge keys (`<<`) are not part of YAML 1.2 and not read",
        )
        .at(node.place)
        .help(
            "shared objectives hold for every test already; a test overrides them field by field",
        );
        return (Key::Bad, Some(problem));
    }
    if let Some(first) = seen.get(&name) {
        let problem = Diagnostic::new(
            Code::DuplicateKey,
            format!(
                "`{name}` is here a second time; the first is at {}:{}",
                first.position.line, first.position.column
            ),
        )
        .at(node.place)
        .help("keep one of the two");
        return (Key::Bad, Some(problem));
    }
    seen.insert(name.clone(), node.place);
    (Key::Good(name, node.place), None)
}
