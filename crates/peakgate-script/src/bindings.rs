//! Names of a module: what they are bound to, as far as that is plain to see.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use oxc_ast::ast::{
    AssignmentExpression, AssignmentTarget, BinaryOperator, BindingIdentifier, BindingPattern,
    Declaration, Expression, IdentifierReference, ImportDeclarationSpecifier, ObjectExpression,
    ObjectPattern, Program, PropertyKey, SimpleAssignmentTarget, Statement, TemplateLiteral,
    VariableDeclaration,
};
use oxc_ast_visit::{Visit, walk};

/// How far names are followed; longer chains are treated as unknown.
const MAX_DEPTH: usize = 16;

/// How many nodes one text may be put together from: constants that double each other would
/// otherwise grow without bound.
const MAX_PARTS: usize = 1_000;

/// What an imported name stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Imported<'a> {
    /// One export of a module, by its name there.
    Name(&'a str),
    /// A whole module (namespace, default import, `require`), by its specifier.
    Module(&'a str),
}

/// Names bound at the top of a module.
///
/// Scopes are not resolved. A name that is bound more than once or assigned to anywhere is not
/// followed, which errs towards "unknown".
#[derive(Default)]
pub(crate) struct Bindings<'a, 'p> {
    imported: HashMap<&'a str, Imported<'a>>,
    values: HashMap<&'a str, &'p Expression<'a>>,
    bound: HashMap<&'a str, usize>,
    mutated: HashSet<&'a str>,
}

/// An object literal, and whether what it holds is all there is.
pub(crate) struct Object<'a, 'p> {
    pub(crate) literal: &'p ObjectExpression<'a>,
    /// Nothing is added to it later, as far as can be seen.
    pub(crate) settled: bool,
}

impl<'a, 'p> Bindings<'a, 'p> {
    pub(crate) fn collect(program: &'p Program<'a>) -> Self {
        let mut all = Self::default();
        let mut counter = Counter {
            bound: HashMap::new(),
            mutated: HashSet::new(),
        };
        counter.visit_program(program);
        all.bound = counter.bound;
        all.mutated = counter.mutated;
        for statement in &program.body {
            match statement {
                Statement::ImportDeclaration(import) => {
                    let module = import.source.value.as_str();
                    for specifier in import.specifiers.iter().flatten() {
                        let (local, imported) = match specifier {
                            ImportDeclarationSpecifier::ImportSpecifier(one) => {
                                let name = one.imported.name().as_str();
                                let imported = if name == "default" {
                                    Imported::Module(module)
                                } else {
                                    Imported::Name(name)
                                };
                                (&one.local, imported)
                            }
                            ImportDeclarationSpecifier::ImportDefaultSpecifier(one) => {
                                (&one.local, Imported::Module(module))
                            }
                            ImportDeclarationSpecifier::ImportNamespaceSpecifier(one) => {
                                (&one.local, Imported::Module(module))
                            }
                        };
                        all.imported.insert(local.name.as_str(), imported);
                    }
                }
                Statement::VariableDeclaration(declaration) => all.declare(declaration),
                Statement::ExportDeclaration(export) => {
                    if let Declaration::VariableDeclaration(declaration) = &export.declaration {
                        all.declare(declaration);
                    }
                }
                _ => {}
            }
        }
        all
    }

    fn declare(&mut self, declaration: &'p VariableDeclaration<'a>) {
        for declarator in &declaration.declarations {
            let Some(init) = &declarator.init else {
                continue;
            };
            match &declarator.id {
                BindingPattern::BindingIdentifier(id) => {
                    let name = id.name.as_str();
                    if let Some(imported) = self.imported(init) {
                        self.imported.insert(name, imported);
                    }
                    self.values.insert(name, init);
                }
                BindingPattern::ObjectPattern(pattern) => {
                    if let Some(Imported::Module(_)) = self.imported(init) {
                        self.destructure(pattern);
                    }
                }
                _ => {}
            }
        }
    }

    fn destructure(&mut self, pattern: &ObjectPattern<'a>) {
        for property in &pattern.properties {
            if let (Some(name), Some(local)) = (
                static_key(&property.key, property.computed),
                property.value.get_binding_identifier(),
            ) {
                self.imported
                    .insert(local.name.as_str(), Imported::Name(name));
            }
        }
    }

    /// What an expression stands for among imported things.
    pub(crate) fn imported(&self, expression: &Expression<'a>) -> Option<Imported<'a>> {
        match expression.get_inner_expression() {
            Expression::Identifier(id) => self.imported.get(id.name.as_str()).copied(),
            Expression::CallExpression(call) => {
                let is_require = call.callee.is_specific_id("require");
                match call.arguments.first()?.as_expression()? {
                    Expression::StringLiteral(text) if is_require => {
                        Some(Imported::Module(text.value.as_str()))
                    }
                    _ => None,
                }
            }
            other => {
                let member = other.get_member_expr()?;
                let Imported::Module(module) = self.imported(member.object())? else {
                    return None;
                };
                match member.static_property_name()? {
                    // What bundlers and `import()` make of a default export.
                    "default" => Some(Imported::Module(module)),
                    name => Some(Imported::Name(name)),
                }
            }
        }
    }

    /// The imported name that an expression stands for: `Trend` for `metrics.Trend`.
    pub(crate) fn imported_name(&self, expression: &Expression<'a>) -> Option<&'a str> {
        match self.imported(expression)? {
            Imported::Name(name) => Some(name),
            Imported::Module(_) => None,
        }
    }

    /// The imported name that an identifier stands for.
    pub(crate) fn reference(&self, id: &IdentifierReference<'a>) -> Option<&'a str> {
        match self.imported.get(id.name.as_str())? {
            Imported::Name(name) => Some(name),
            Imported::Module(_) => None,
        }
    }

    /// Whether a name is bound to something imported.
    pub(crate) fn is_imported(&self, name: &str) -> bool {
        self.imported.contains_key(name)
    }

    fn value(&self, name: &str) -> Option<&'p Expression<'a>> {
        // A namespace import or a parameter of the same name would make this a guess.
        (self.bound.get(name) == Some(&1))
            .then(|| self.values.get(name).copied())
            .flatten()
    }

    /// The text that an expression is, when that is plain: literals, constants, and their sums.
    pub(crate) fn text(&self, expression: &Expression<'a>) -> Option<Cow<'a, str>> {
        self.text_within(expression, &mut MAX_PARTS.clone())
    }

    fn text_within(&self, expression: &Expression<'a>, left: &mut usize) -> Option<Cow<'a, str>> {
        *left = left.checked_sub(1)?;
        match expression.get_inner_expression() {
            Expression::StringLiteral(text) => Some(Cow::Borrowed(text.value.as_str())),
            Expression::TemplateLiteral(template) => {
                let mut out = String::new();
                for (i, quasi) in template.quasis.iter().enumerate() {
                    out.push_str(quasi.value.cooked.as_ref()?.as_str());
                    if let Some(inner) = template.expressions.get(i) {
                        out.push_str(&self.text_within(inner, left)?);
                    }
                }
                Some(Cow::Owned(out))
            }
            Expression::BinaryExpression(sum) if sum.operator == BinaryOperator::Addition => {
                let first = self.text_within(&sum.left, left)?;
                let second = self.text_within(&sum.right, left)?;
                Some(Cow::Owned(format!("{first}{second}")))
            }
            Expression::Identifier(id) => {
                let name = id.name.as_str();
                if self.mutated.contains(name) {
                    return None;
                }
                self.text_within(self.value(name)?, left)
            }
            _ => None,
        }
    }

    /// The object literal behind an expression.
    pub(crate) fn object<'e>(&self, expression: &'e Expression<'a>) -> Option<Object<'a, 'e>>
    where
        'p: 'e,
    {
        let mut expression = expression;
        let mut settled = true;
        for _ in 0..MAX_DEPTH {
            match expression.get_inner_expression() {
                Expression::ObjectExpression(literal) => return Some(Object { literal, settled }),
                Expression::Identifier(id) => {
                    settled &= !self.mutated.contains(id.name.as_str());
                    expression = self.value(id.name.as_str())?;
                }
                _ => return None,
            }
        }
        None
    }

    /// The value of a module-level name, and whether it stays as declared.
    pub(crate) fn declared(&self, name: &str) -> Option<(&'p Expression<'a>, bool)> {
        Some((self.value(name)?, !self.mutated.contains(name)))
    }
}

/// A template in k6's form: expressions stand as `${}`.
pub(crate) fn template_text(template: &TemplateLiteral<'_>) -> String {
    let mut out = String::new();
    for (i, quasi) in template.quasis.iter().enumerate() {
        let text = quasi.value.cooked.as_ref().unwrap_or(&quasi.value.raw);
        out.push_str(text.as_str());
        if i < template.expressions.len() {
            out.push_str("${}");
        }
    }
    out
}

/// The name of a property that is written out: `x:`, `"x":`, `["x"]:`.
pub(crate) fn static_key<'a>(key: &PropertyKey<'a>, computed: bool) -> Option<&'a str> {
    match key {
        PropertyKey::StaticIdentifier(id) if !computed => Some(id.name.as_str()),
        PropertyKey::StringLiteral(text) => Some(text.value.as_str()),
        PropertyKey::TemplateLiteral(template) => template.single_quasi().map(|t| t.as_str()),
        _ => None,
    }
}

/// Counts how often names are bound, and which are assigned to.
struct Counter<'a> {
    bound: HashMap<&'a str, usize>,
    mutated: HashSet<&'a str>,
}

impl<'a> Visit<'a> for Counter<'a> {
    fn visit_binding_identifier(&mut self, it: &BindingIdentifier<'a>) {
        *self.bound.entry(it.name.as_str()).or_default() += 1;
    }

    fn visit_assignment_expression(&mut self, it: &AssignmentExpression<'a>) {
        if let Some(root) = assigned_root(&it.left) {
            self.mutated.insert(root);
        }
        walk::walk_assignment_expression(self, it);
    }

    fn visit_call_expression(&mut self, it: &oxc_ast::ast::CallExpression<'a>) {
        // Object.assign(target, …)
        if it.callee.is_specific_member_access("Object", "assign")
            && let Some(target) = it.arguments.first().and_then(|a| a.as_expression())
            && let Some(root) = root(target)
        {
            self.mutated.insert(root);
        }
        walk::walk_call_expression(self, it);
    }
}

fn assigned_root<'a>(target: &AssignmentTarget<'a>) -> Option<&'a str> {
    match target {
        AssignmentTarget::AssignmentTargetIdentifier(id) => Some(id.name.as_str()),
        other => {
            let simple: &SimpleAssignmentTarget<'a> = other.as_simple_assignment_target()?;
            root(simple.as_member_expression()?.object())
        }
    }
}

/// The identifier that a chain of members starts from.
fn root<'a>(expression: &Expression<'a>) -> Option<&'a str> {
    let mut expression = expression.get_inner_expression();
    loop {
        match expression {
            Expression::Identifier(id) => return Some(id.name.as_str()),
            other => expression = other.get_member_expr()?.object().get_inner_expression(),
        }
    }
}
