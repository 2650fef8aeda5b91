//! The walk over a parsed script that gathers its facts.

use oxc_ast::ast::{
    Argument, AssignmentExpression, AssignmentTarget, BindingPattern, CallExpression,
    ComputedMemberExpression, Declaration, ExportAllDeclaration, ExportDeclaration,
    ExportDefaultDeclaration, ExportFromDeclaration, ExportNamedDeclaration, Expression,
    IdentifierReference, ImportDeclaration, ImportExpression, MemberExpression, NewExpression,
    ObjectExpression, ObjectProperty, ObjectPropertyKind, Program, StaticMemberExpression,
    StringLiteral, TSType, TSTypeName, TaggedTemplateExpression, TemplateLiteral,
    VariableDeclarator,
};
use oxc_ast_visit::{Visit, walk};
use oxc_span::Span;
use peakgate_load::MetricKind;

use crate::bindings::{Bindings, Imported, static_key, template_text};
use crate::facts::{
    DefinedMetric, Import, ImportKind, Position, ScriptFacts, UrlLiteral, add_name,
};
use crate::options;
use crate::read::Lines;
use crate::url::literal_url;

/// Gathers the facts.
pub(crate) struct Reader<'a, 'p, 's> {
    bindings: &'p Bindings<'a, 'p>,
    lines: &'p Lines<'s>,
    facts: ScriptFacts,
    /// How many more spreads are followed in this call: `const a = { ...a }` parses.
    spreads_left: usize,
}

impl<'a, 'p, 's> Reader<'a, 'p, 's> {
    pub(crate) fn new(bindings: &'p Bindings<'a, 'p>, lines: &'p Lines<'s>) -> Self {
        Self {
            bindings,
            lines,
            facts: ScriptFacts::default(),
            spreads_left: options::MAX_SPREADS,
        }
    }

    pub(crate) fn read(mut self, program: &'p Program<'a>) -> ScriptFacts {
        self.visit_program(program);
        options::read(program, self.bindings, self.lines, &mut self.facts);
        self.facts
    }

    fn position(&self, span: Span) -> Position {
        self.lines.position(span.start)
    }

    fn import(&mut self, specifier: &str, span: Span) {
        let position = self.position(span);
        self.facts.imports.push(Import {
            specifier: specifier.to_owned(),
            kind: ImportKind::of(specifier),
            position,
        });
    }

    /// The name of the k6 function or class that is called. Bundlers hide the import behind names
    /// of their own (`(0, k6_1.check)(…)`), so the last part of a path counts even where its root
    /// is not seen to be imported; knowing a name too many is harmless, missing one is not.
    fn called<'e>(&self, callee: &'e Expression<'a>) -> Option<&'e str>
    where
        'a: 'e,
    {
        let mut callee = callee.get_inner_expression();
        if let Expression::SequenceExpression(sequence) = callee {
            callee = sequence.expressions.last()?;
        }
        self.bindings
            .imported_name(callee)
            .or_else(|| match callee {
                Expression::Identifier(id) => Some(id.name.as_str()),
                other => other.get_member_expr()?.static_property_name(),
            })
    }

    fn url(&mut self, text: &str, span: Span) {
        if let Some((text, host)) = literal_url(text) {
            let position = self.position(span);
            self.facts.urls.push(UrlLiteral {
                text,
                host,
                position,
            });
        }
    }

    fn metric(&mut self, kind: MetricKind, new: &NewExpression<'a>) {
        let Some(name) = argument(&new.arguments, 0).and_then(|name| self.bindings.text(name))
        else {
            self.facts.dynamic_metrics = true;
            return;
        };
        let is_time = match new.arguments.get(1).map(Argument::as_expression) {
            None => Some(false),
            Some(Some(Expression::BooleanLiteral(literal))) => Some(literal.value),
            Some(_) => None,
        };
        let position = self.position(new.span);
        self.facts.metrics.push(DefinedMetric {
            name: name.into_owned(),
            kind,
            is_time,
            position,
        });
    }

    /// The sets of a `check`: names are keys.
    fn checks(&mut self, sets: Option<&Expression<'a>>) {
        let Some(object) = sets.and_then(|sets| self.bindings.object(sets)) else {
            self.facts.dynamic_checks = true;
            return;
        };
        self.facts.dynamic_checks |= !object.settled;
        for property in &object.literal.properties {
            match property {
                ObjectPropertyKind::ObjectProperty(property) => {
                    match self.key(property) {
                        Some(name) => add_name(&mut self.facts.checks, &name),
                        None => self.facts.dynamic_checks = true,
                    };
                }
                ObjectPropertyKind::SpreadProperty(spread) => {
                    match self.spreads_left.checked_sub(1) {
                        Some(left) => {
                            self.spreads_left = left;
                            self.checks(Some(&spread.argument));
                        }
                        None => self.facts.dynamic_checks = true,
                    }
                }
            }
        }
    }

    fn key(&self, property: &ObjectProperty<'a>) -> Option<String> {
        static_key(&property.key, property.computed)
            .map(ToOwned::to_owned)
            .or_else(|| {
                let computed = property.key.as_expression().filter(|_| property.computed);
                Some(self.bindings.text(computed?)?.into_owned())
            })
    }

    /// An object of tags.
    fn tag_object(&mut self, object: &ObjectExpression<'a>) {
        for property in &object.properties {
            match property {
                ObjectPropertyKind::ObjectProperty(property) => match self.key(property) {
                    Some(name) => self.tag(&name, &property.value),
                    None => self.facts.dynamic_tags = true,
                },
                ObjectPropertyKind::SpreadProperty(_) => {
                    self.facts.dynamic_tags = true;
                    self.facts.dynamic_request_names = true;
                }
            }
        }
    }

    fn tags(&mut self, tags: Option<&Expression<'a>>) {
        if let Some(tags) = tags {
            match self.bindings.object(tags) {
                Some(object) => self.tag_object(object.literal),
                None => self.facts.dynamic_tags = true,
            }
        }
    }

    fn tag(&mut self, name: &str, value: &Expression<'a>) {
        add_name(&mut self.facts.tags, name);
        if name == "name" {
            match self.bindings.text(value) {
                Some(text) => add_name(&mut self.facts.request_names, &text),
                None => self.facts.dynamic_request_names = true,
            }
        }
    }

    /// A k6 function or class is handed around, so calls of it go unseen.
    fn escapes(&mut self, name: &str) {
        match name {
            "check" => self.facts.dynamic_checks = true,
            "group" => self.facts.dynamic_groups = true,
            other if metric_kind(other).is_some() => self.facts.dynamic_metrics = true,
            _ => {}
        }
    }

    fn export(&mut self, name: &str) {
        add_name(&mut self.facts.exports, name);
    }

    fn walk_arguments(&mut self, arguments: &oxc_allocator::Vec<'a, Argument<'a>>) {
        for argument in arguments {
            self.visit_argument(argument);
        }
    }

    /// Assignments to `….tags.x` set tags, assignments to `exports.x` export.
    fn assigned_member(&mut self, member: &MemberExpression<'a>, value: &Expression<'a>) {
        let object = member.object().get_inner_expression();
        let name = member.static_property_name();
        let of_tags = object
            .get_member_expr()
            .and_then(MemberExpression::static_property_name)
            == Some("tags");
        if of_tags {
            match name {
                Some(name) => self.tag(name, value),
                None => self.facts.dynamic_tags = true,
            }
        }
        if options::is_exports(object) {
            if let Some(name) = name {
                self.export(name);
            }
        } else if object.is_specific_id("module")
            && name == Some("exports")
            && let Some(object) = self.bindings.object(value)
        {
            for property in &object.literal.properties {
                if let ObjectPropertyKind::ObjectProperty(property) = property
                    && let Some(name) = self.key(property)
                {
                    self.export(&name);
                }
            }
        }
    }
}

impl<'a> Visit<'a> for Reader<'a, '_, '_> {
    fn visit_import_declaration(&mut self, it: &ImportDeclaration<'a>) {
        // Types leave nothing behind at run time.
        if !it.import_kind.is_type() {
            self.import(it.source.value.as_str(), it.span);
        }
    }

    fn visit_export_all_declaration(&mut self, it: &ExportAllDeclaration<'a>) {
        if it.export_kind.is_type() {
            return;
        }
        self.import(it.source.value.as_str(), it.span);
        match &it.exported {
            Some(name) => self.export(name.name().as_str()),
            None => add_name(&mut self.facts.star_exports, it.source.value.as_str()),
        }
    }

    fn visit_export_from_declaration(&mut self, it: &ExportFromDeclaration<'a>) {
        if it.export_kind.is_type() {
            return;
        }
        self.import(it.source.value.as_str(), it.span);
        for specifier in it.specifiers.iter().filter(|s| !s.export_kind.is_type()) {
            self.export(specifier.exported.name().as_str());
        }
    }

    fn visit_export_named_declaration(&mut self, it: &ExportNamedDeclaration<'a>) {
        // Not walked: a name that is only passed on does not escape.
        if it.export_kind.is_type() {
            return;
        }
        for specifier in it.specifiers.iter().filter(|s| !s.export_kind.is_type()) {
            self.export(specifier.exported.name().as_str());
        }
    }

    fn visit_export_default_declaration(&mut self, it: &ExportDefaultDeclaration<'a>) {
        self.export("default");
        walk::walk_export_default_declaration(self, it);
    }

    fn visit_export_declaration(&mut self, it: &ExportDeclaration<'a>) {
        match &it.declaration {
            Declaration::VariableDeclaration(variables) => {
                for declarator in &variables.declarations {
                    for id in declarator.id.get_binding_identifiers() {
                        self.export(id.name.as_str());
                    }
                }
            }
            Declaration::FunctionDeclaration(_) | Declaration::ClassDeclaration(_) => {
                if let Some(id) = it.declaration.id() {
                    self.export(id.name.as_str());
                }
            }
            _ => {}
        }
        walk::walk_export_declaration(self, it);
    }

    fn visit_import_expression(&mut self, it: &ImportExpression<'a>) {
        match self.bindings.text(&it.source) {
            Some(specifier) => self.import(&specifier, it.span),
            None => self.facts.dynamic_imports = true,
        }
    }

    fn visit_new_expression(&mut self, it: &NewExpression<'a>) {
        match self.called(&it.callee).and_then(metric_kind) {
            Some(kind) => {
                self.metric(kind, it);
                self.walk_arguments(&it.arguments);
            }
            None => walk::walk_new_expression(self, it),
        }
    }

    fn visit_call_expression(&mut self, it: &CallExpression<'a>) {
        if it.callee.is_specific_id("require") {
            match argument(&it.arguments, 0).and_then(|text| self.bindings.text(text)) {
                Some(specifier) => self.import(&specifier, it.span),
                None => self.facts.dynamic_imports = true,
            }
            return;
        }
        match self.called(&it.callee) {
            Some("check") => {
                self.spreads_left = options::MAX_SPREADS;
                self.checks(argument(&it.arguments, 1));
                self.tags(argument(&it.arguments, 2));
            }
            Some("group") => {
                match argument(&it.arguments, 0).and_then(|name| self.bindings.text(name)) {
                    Some(name) => add_name(&mut self.facts.groups, &name),
                    None => self.facts.dynamic_groups = true,
                };
            }
            // metric.add(value, tags)
            Some("add") if it.callee.get_member_expr().is_some() => {
                if let Some(Expression::ObjectExpression(tags)) = argument(&it.arguments, 1) {
                    self.tag_object(tags);
                }
            }
            _ => {}
        }
        // A callee that is a plain name does not escape; one within a path is looked at.
        if self.bindings.imported_name(&it.callee).is_none() {
            self.visit_expression(&it.callee);
        }
        self.walk_arguments(&it.arguments);
    }

    fn visit_identifier_reference(&mut self, it: &IdentifierReference<'a>) {
        if let Some(name) = self.bindings.reference(it) {
            self.escapes(name);
        }
    }

    fn visit_static_member_expression(&mut self, it: &StaticMemberExpression<'a>) {
        if is_env(&it.object) {
            add_name(&mut self.facts.env_vars, it.property.name.as_str());
        }
        if let Some(Imported::Module("k6" | "k6/metrics")) = self.bindings.imported(&it.object) {
            self.escapes(it.property.name.as_str());
        }
        walk::walk_static_member_expression(self, it);
    }

    fn visit_computed_member_expression(&mut self, it: &ComputedMemberExpression<'a>) {
        if is_env(&it.object) {
            match self.bindings.text(&it.expression) {
                Some(name) => add_name(&mut self.facts.env_vars, &name),
                None => self.facts.dynamic_env = true,
            }
        }
        match self.bindings.imported(&it.object) {
            Some(Imported::Module("k6/metrics")) => self.facts.dynamic_metrics = true,
            Some(Imported::Module("k6")) => {
                self.facts.dynamic_checks = true;
                self.facts.dynamic_groups = true;
            }
            _ => {}
        }
        walk::walk_computed_member_expression(self, it);
    }

    fn visit_variable_declarator(&mut self, it: &VariableDeclarator<'a>) {
        if let (BindingPattern::ObjectPattern(pattern), Some(init)) = (&it.id, &it.init)
            && is_env(init)
        {
            for property in &pattern.properties {
                match static_key(&property.key, property.computed) {
                    Some(name) => add_name(&mut self.facts.env_vars, name),
                    None => self.facts.dynamic_env = true,
                }
            }
            self.facts.dynamic_env |= pattern.rest.is_some();
        }
        // `const T = metrics.Trend` is followed by the bindings, so it is no escape.
        let followed = matches!(it.id, BindingPattern::BindingIdentifier(_))
            && it.init.as_ref().is_some_and(|init| {
                self.bindings.imported_name(init).is_some()
                    && it
                        .id
                        .get_binding_identifier()
                        .is_some_and(|id| self.bindings.is_imported(id.name.as_str()))
            });
        if !followed {
            walk::walk_variable_declarator(self, it);
        }
    }

    fn visit_object_property(&mut self, it: &ObjectProperty<'a>) {
        if static_key(&it.key, it.computed) == Some("tags") {
            match it.value.get_inner_expression() {
                Expression::ObjectExpression(tags) => self.tag_object(tags),
                // A name: its object literal is taken where it can be found.
                other => self.tags(Some(other)),
            }
        }
        walk::walk_object_property(self, it);
    }

    fn visit_assignment_expression(&mut self, it: &AssignmentExpression<'a>) {
        if let AssignmentTarget::StaticMemberExpression(_)
        | AssignmentTarget::ComputedMemberExpression(_) = &it.left
            && let Some(member) = it.left.as_member_expression()
        {
            self.assigned_member(member, &it.right);
        }
        walk::walk_assignment_expression(self, it);
    }

    fn visit_string_literal(&mut self, it: &StringLiteral<'a>) {
        self.url(it.value.as_str(), it.span);
    }

    fn visit_template_literal(&mut self, it: &TemplateLiteral<'a>) {
        self.url(&template_text(it), it.span);
        walk::walk_template_literal(self, it);
    }

    fn visit_tagged_template_expression(&mut self, it: &TaggedTemplateExpression<'a>) {
        // http.url`…`: k6 names the request by the template.
        if it
            .tag
            .get_member_expr()
            .and_then(MemberExpression::static_property_name)
            == Some("url")
            || self.bindings.imported_name(&it.tag) == Some("url")
        {
            add_name(&mut self.facts.request_names, &template_text(&it.quasi));
        }
        walk::walk_tagged_template_expression(self, it);
    }

    // Types are not code: a `Trend` there is no use of the class.
    fn visit_ts_type(&mut self, _: &TSType<'a>) {}
    fn visit_ts_type_name(&mut self, _: &TSTypeName<'a>) {}
}

fn argument<'e, 'a>(arguments: &'e [Argument<'a>], index: usize) -> Option<&'e Expression<'a>> {
    // A spread before it makes the index a guess.
    if arguments.iter().take(index).any(Argument::is_spread) {
        return None;
    }
    arguments
        .get(index)?
        .as_expression()
        .map(Expression::get_inner_expression)
}

fn metric_kind(name: &str) -> Option<MetricKind> {
    match name {
        "Counter" => Some(MetricKind::Counter),
        "Gauge" => Some(MetricKind::Gauge),
        "Rate" => Some(MetricKind::Rate),
        "Trend" => Some(MetricKind::Trend),
        _ => None,
    }
}

/// `__ENV` or `globalThis.__ENV`.
fn is_env(expression: &Expression<'_>) -> bool {
    let expression = expression.get_inner_expression();
    expression.is_specific_id("__ENV")
        || expression.is_specific_member_access("globalThis", "__ENV")
}
