//! Names in a condition: each one is known, or the rule is not loaded.
//!
//! Rewrites the tree so that evaluation is quick: `request.model` becomes one
//! name instead of a selection, and a pattern is compiled and replaced by its
//! number.

use super::super::facts::{HEADERS, PATTERN_MARK, VARIABLES};
use super::Pattern;
use cel::Env;
use cel::common::ast::operators::{IN, INDEX};
use cel::common::ast::{CallExpr, ComprehensionExpr, EntryExpr, Expr, IdedExpr, LiteralValue, SelectExpr};

/// How deep the tree may be. Evaluation recurses, on the stack of a request.
const MAX_DEPTH: usize = 40;

/// Rewrites `expression` and returns its patterns.
///
/// # Errors
/// Each unknown name and wrong pattern.
pub(super) fn names(env: &Env, expression: &mut IdedExpr) -> Result<Vec<Pattern>, Vec<String>> {
    let mut resolver =
        Resolver { env, depth: 0, bound: Vec::new(), patterns: Vec::new(), problems: Vec::new() };
    resolver.walk(expression);
    if resolver.problems.is_empty() { Ok(resolver.patterns) } else { Err(resolver.problems) }
}

struct Resolver<'e> {
    env: &'e Env,
    depth: usize,
    /// The variables of the macros (`exists(x, …)`) around the current spot.
    bound: Vec<String>,
    patterns: Vec<Pattern>,
    problems: Vec<String>,
}

impl Resolver<'_> {
    fn walk(&mut self, node: &mut IdedExpr) {
        if self.depth == MAX_DEPTH {
            return self.problem(format!("the condition nests deeper than {MAX_DEPTH} operators"));
        }
        self.depth += 1;
        self.node(node);
        self.depth -= 1;
    }

    fn node(&mut self, node: &mut IdedExpr) {
        match &mut node.expr {
            Expr::Ident(name) => self.name(name),
            Expr::Select(select) => {
                if let Some(variable) = self.select(select) {
                    node.expr = Expr::Ident(variable);
                }
            }
            Expr::Call(call) => self.call(call),
            Expr::Comprehension(macro_call) => self.comprehension(macro_call),
            Expr::List(list) => list.elements.iter_mut().for_each(|element| self.walk(element)),
            Expr::Map(map) => {
                for entry in &mut map.entries {
                    if let EntryExpr::MapEntry(pair) = &mut entry.expr {
                        self.walk(&mut pair.key);
                        self.walk(&mut pair.value);
                    }
                }
            }
            Expr::Struct(made) => self.problem(format!("{} {{…}} cannot be built here", made.type_name)),
            Expr::Literal(_) | Expr::Unspecified => {}
        }
    }

    fn problem(&mut self, text: String) {
        if !self.problems.contains(&text) {
            self.problems.push(text);
        }
    }

    fn is_bound(&self, name: &str) -> bool {
        self.bound.iter().any(|bound| bound == name)
    }

    fn name(&mut self, name: &str) {
        if self.is_bound(name) || name == HEADERS || self.env.types().find_type(name).is_some() {
            return;
        }
        match fields(name).next() {
            Some(first) => {
                self.problem(format!("`{name}` is a group; write `{first}` or another of its fields"))
            }
            None => self.problem(format!("unknown variable `{name}`")),
        }
    }

    /// The full name of the variable that is selected, if one is.
    fn select(&mut self, select: &mut SelectExpr) -> Option<String> {
        let root = match &select.operand.expr {
            Expr::Ident(name) if !self.is_bound(name) => name.clone(),
            _ => {
                self.walk(&mut select.operand);
                return None;
            }
        };
        let full = format!("{root}.{}", select.field);
        if root == HEADERS {
            let field = &select.field;
            self.problem(format!(
                "write `headers[\"{field}\"]`, and `\"{field}\" in headers` to ask for its presence"
            ));
        } else if fields(&root).next().is_none() {
            self.name(&root);
        } else if !VARIABLES.contains(&full.as_str()) {
            let known: Vec<_> = fields(&root).collect();
            self.problem(format!("unknown variable `{full}`; known are {}", known.join(", ")));
        } else if select.test {
            self.problem(format!("`has({full})` is always true: every variable has a value"));
        } else {
            return Some(full);
        }
        None
    }

    fn call(&mut self, call: &mut CallExpr) {
        // `matches(text, pattern)` and `text.matches(pattern)` are the same.
        if call.func_name == "matches" && call.target.is_none() && call.args.len() == 2 {
            call.target = Some(Box::new(call.args.remove(0)));
        }
        if let Some(target) = &mut call.target {
            self.walk(target);
        }
        match (call.func_name.as_str(), call.args.as_mut_slice()) {
            ("matches", [pattern]) => return self.pattern(pattern),
            (INDEX, [map, name]) | (IN, [name, map]) => self.header_name(map, name),
            _ => {}
        }
        call.args.iter_mut().for_each(|argument| self.walk(argument));
    }

    fn pattern(&mut self, node: &mut IdedExpr) {
        let Expr::Literal(LiteralValue::String(source)) = &node.expr else {
            return self.problem("the pattern of `matches` must be written out as a text".to_owned());
        };
        match Pattern::compile(source.inner()) {
            Ok(pattern) => {
                node.expr = Expr::Ident(format!("{PATTERN_MARK}{}", self.patterns.len()));
                self.patterns.push(pattern);
            }
            Err(problem) => self.problem(problem),
        }
    }

    fn header_name(&mut self, map: &IdedExpr, name: &IdedExpr) {
        let headers = matches!(&map.expr, Expr::Ident(root) if root == HEADERS && !self.is_bound(root));
        if let (true, Expr::Literal(LiteralValue::String(name))) = (headers, &name.expr)
            && name.inner().bytes().any(|byte| byte.is_ascii_uppercase())
        {
            self.problem(format!("header names are lower-case: {:?}", name.inner()));
        }
    }

    fn comprehension(&mut self, of: &mut ComprehensionExpr) {
        self.walk(&mut of.iter_range);
        self.walk(&mut of.accu_init);
        let before = self.bound.len();
        self.bound.extend([of.iter_var.clone(), of.accu_var.clone()]);
        self.bound.extend(of.iter_var2.clone());
        self.walk(&mut of.loop_cond);
        self.walk(&mut of.loop_step);
        self.walk(&mut of.result);
        self.bound.truncate(before);
    }
}

/// The variables of a group, such as `request`.
fn fields(group: &str) -> impl Iterator<Item = &'static str> {
    VARIABLES
        .iter()
        .copied()
        .filter(move |variable| variable.strip_prefix(group).is_some_and(|rest| rest.starts_with('.')))
}
