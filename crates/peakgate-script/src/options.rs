//! Thresholds of the script's `options`.

use oxc_ast::ast::{
    AssignmentExpression, AssignmentTarget, Declaration, Expression, ObjectPropertyKind, Program,
    Statement,
};
use oxc_ast_visit::{Visit, walk};
use oxc_span::{GetSpan, Span};

use crate::bindings::{Bindings, static_key};
use crate::facts::{ScriptFacts, Threshold};
use crate::read::Lines;

/// How many spreads are followed from one object; objects may spread themselves or double each other.
pub(crate) const MAX_SPREADS: usize = 1_000;

/// Reads the thresholds into the facts.
pub(crate) fn read<'a, 'p>(
    program: &'p Program<'a>,
    bindings: &'p Bindings<'a, 'p>,
    lines: &Lines<'_>,
    facts: &mut ScriptFacts,
) {
    let mut reader = OptionsReader {
        bindings,
        lines,
        facts,
        spreads_left: MAX_SPREADS,
    };
    let mut found = false;
    for statement in &program.body {
        match statement {
            Statement::ExportDeclaration(export) => {
                if let Declaration::VariableDeclaration(variables) = &export.declaration {
                    for declarator in &variables.declarations {
                        if declarator
                            .id
                            .get_identifier_name()
                            .is_some_and(|n| n == "options")
                        {
                            found = true;
                            reader.exported("options");
                        }
                    }
                }
            }
            Statement::ExportNamedDeclaration(export) => {
                for specifier in &export.specifiers {
                    if specifier.exported.name().as_str() == "options" {
                        found = true;
                        reader.exported(specifier.local.name().as_str());
                    }
                }
            }
            _ => {}
        }
    }
    if !found && reader.facts.exports("options") {
        let mut assigned = Assigned {
            reader: &mut reader,
            found: false,
        };
        assigned.visit_program(program);
        let found = assigned.found;
        // `export { options } from "…"`, or a shape of CommonJS that is not followed.
        reader.facts.dynamic_thresholds |= !found;
    }
}

/// `exports` or `module.exports`.
pub(crate) fn is_exports(expression: &Expression<'_>) -> bool {
    expression.is_specific_id("exports")
        || expression.is_specific_member_access("module", "exports")
}

struct OptionsReader<'a, 'p, 'l, 's, 'f> {
    bindings: &'p Bindings<'a, 'p>,
    lines: &'l Lines<'s>,
    facts: &'f mut ScriptFacts,
    spreads_left: usize,
}

impl<'a, 'p> OptionsReader<'a, 'p, '_, '_, '_> {
    /// The options are the value of this module-level name.
    fn exported(&mut self, name: &str) {
        match self.bindings.declared(name) {
            Some((value, settled)) => {
                self.facts.dynamic_thresholds |= !settled;
                self.options(value);
            }
            None => self.facts.dynamic_thresholds = true,
        }
    }

    /// Whether another spread may be followed.
    fn may_spread(&mut self) -> bool {
        let left = self.spreads_left.checked_sub(1);
        self.facts.dynamic_thresholds |= left.is_none();
        self.spreads_left = left.unwrap_or(0);
        left.is_some()
    }

    fn options(&mut self, value: &Expression<'a>) {
        let Some(object) = self.bindings.object(value) else {
            self.facts.dynamic_thresholds = true;
            return;
        };
        self.facts.dynamic_thresholds |= !object.settled;
        for property in &object.literal.properties {
            match property {
                ObjectPropertyKind::ObjectProperty(property) => {
                    match static_key(&property.key, property.computed) {
                        Some("thresholds") => self.thresholds(&property.value),
                        Some(_) => {}
                        None => self.facts.dynamic_thresholds = true,
                    }
                }
                ObjectPropertyKind::SpreadProperty(spread) => {
                    if self.may_spread() {
                        self.options(&spread.argument);
                    }
                }
            }
        }
    }

    fn thresholds(&mut self, value: &Expression<'a>) {
        let Some(object) = self.bindings.object(value) else {
            self.facts.dynamic_thresholds = true;
            return;
        };
        self.facts.dynamic_thresholds |= !object.settled;
        for property in &object.literal.properties {
            match property {
                ObjectPropertyKind::ObjectProperty(property) => {
                    let metric = static_key(&property.key, property.computed)
                        .map(ToOwned::to_owned)
                        .or_else(|| {
                            let key = property.key.as_expression().filter(|_| property.computed);
                            Some(self.bindings.text(key?)?.into_owned())
                        });
                    match metric {
                        Some(metric) => self.list(&metric, &property.value),
                        None => self.facts.dynamic_thresholds = true,
                    }
                }
                ObjectPropertyKind::SpreadProperty(spread) => {
                    if self.may_spread() {
                        self.thresholds(&spread.argument);
                    }
                }
            }
        }
    }

    /// The conditions of one metric.
    fn list(&mut self, metric: &str, value: &Expression<'a>) {
        let value = value.get_inner_expression();
        let value = match value {
            Expression::Identifier(id) => self
                .bindings
                .declared(id.name.as_str())
                .filter(|(_, settled)| *settled)
                .map_or(value, |(value, _)| value.get_inner_expression()),
            other => other,
        };
        let Expression::ArrayExpression(list) = value else {
            self.facts.dynamic_thresholds = true;
            return;
        };
        for element in &list.elements {
            let Some(element) = element.as_expression() else {
                self.facts.dynamic_thresholds = true;
                continue;
            };
            if let Some(text) = self.bindings.text(element) {
                self.add(metric, &text, false, element.span());
            } else {
                self.condition(metric, element);
            }
        }
    }

    /// `{ threshold, abortOnFail }`.
    fn condition(&mut self, metric: &str, element: &Expression<'a>) {
        let mut text = None;
        let mut abort = Some(false);
        if let Some(object) = self.bindings.object(element) {
            for property in &object.literal.properties {
                let ObjectPropertyKind::ObjectProperty(property) = property else {
                    abort = None;
                    continue;
                };
                match static_key(&property.key, property.computed) {
                    Some("threshold") => text = self.bindings.text(&property.value),
                    Some("abortOnFail") => {
                        abort = match property.value.get_inner_expression() {
                            Expression::BooleanLiteral(literal) => Some(literal.value),
                            _ => None,
                        };
                    }
                    _ => {}
                }
            }
        }
        self.facts.dynamic_thresholds |= text.is_none() || abort.is_none();
        if let Some(text) = text {
            self.add(metric, &text, abort.unwrap_or(false), element.span());
        }
    }

    fn add(&mut self, metric: &str, expression: &str, abort_on_fail: bool, span: Span) {
        self.facts.thresholds.push(Threshold {
            metric: metric.to_owned(),
            expression: expression.to_owned(),
            abort_on_fail,
            position: self.lines.position(span.start),
        });
    }
}

/// Finds `exports.options = …` and `module.exports = { options: … }`.
struct Assigned<'r, 'a, 'p, 'l, 's, 'f> {
    reader: &'r mut OptionsReader<'a, 'p, 'l, 's, 'f>,
    found: bool,
}

impl<'a> Visit<'a> for Assigned<'_, 'a, '_, '_, '_, '_> {
    fn visit_assignment_expression(&mut self, it: &AssignmentExpression<'a>) {
        if let AssignmentTarget::StaticMemberExpression(member) = &it.left {
            let name = member.property.name.as_str();
            if name == "options" && is_exports(member.object.get_inner_expression()) {
                self.found = true;
                self.reader.options(&it.right);
            } else if name == "exports"
                && member.object.is_specific_id("module")
                && let Some(object) = self.reader.bindings.object(&it.right)
            {
                for property in &object.literal.properties {
                    if let ObjectPropertyKind::ObjectProperty(property) = property
                        && static_key(&property.key, property.computed) == Some("options")
                    {
                        self.found = true;
                        self.reader.options(&property.value);
                    }
                }
            }
        }
        walk::walk_assignment_expression(self, it);
    }
}
