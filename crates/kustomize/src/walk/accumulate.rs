//! What a kustomization comes to: its resources, what it generates, its components, and its transformers over all that.

use std::sync::Arc;

use crate::Origins;
use crate::annotate::{self, Mark};
use crate::config::Config;
use crate::context::Reads;
use crate::files::{Kind, ReadError};
use crate::kustomization::Kustomization;
use crate::remote::{Repository, is_web};
use crate::resmap::ResMap;
use crate::schema::Schema;
use crate::trouble::{Outcome, Trouble};
use crate::walk::place::{Place, Tree};
use crate::walk::target::{Failed, Target, Walk};

/// Objects so far, and the tables and vars that go with them.
#[derive(Debug, Default)]
pub(crate) struct Accumulator {
    pub map: ResMap,
    /// `None` while nothing was merged in.
    pub config: Option<Arc<Config>>,
    pub vars: Vars,
    /// Something failed on the way: the rest is only looked through for further problems.
    pub broken: bool,
}

impl Accumulator {
    pub fn config(&self) -> Arc<Config> {
        self.config.clone().unwrap_or_default()
    }

    fn merge_config(&mut self, config: Arc<Config>) -> Outcome<()> {
        let merged = match &self.config {
            None if Arc::ptr_eq(&config, &Config::builtin()) => config,
            // Into an empty one, as kustomize does: there a field of some kinds hides the same field of all kinds.
            None => Arc::new(Config::default().merge(&config)?),
            Some(mine) => Config::merged(mine, &config)?,
        };
        self.config = Some(merged);
        Ok(())
    }

    /// Takes in what another kustomization came to.
    fn merge(&mut self, other: Accumulator, schema: &Schema) -> Outcome<()> {
        self.broken |= other.broken;
        if self.broken {
            return Ok(());
        }
        match self.map.list.is_empty() {
            true => {
                other.map.check_unique(schema)?;
                self.map = other.map;
            }
            false => self.map.append_all(other.map.list, schema)?,
        }
        if let Some(config) = other.config {
            self.merge_config(config)?;
        }
        self.vars.merge(other.vars)
    }
}

/// The `vars` of all kustomizations so far.
pub(crate) type Vars = crate::transform::vars::Vars;

impl<'f> Walk<'_, 'f> {
    /// Does all that a kustomization asks for, on top of what is there.
    pub fn accumulate(&self, target: &Target<'_, 'f>, acc: &mut Accumulator) {
        let kustomization = Arc::clone(&target.kustomization);
        let field = |at: usize| kustomization.field_of_resource(at);
        self.resources(target, &kustomization.resources, &field, acc);
        if let Err(trouble) = self.add_config(target, acc) {
            self.break_off(target, acc, trouble, "configurations");
        }
        self.generate(target, acc);
        self.components(target, acc);
        self.transform(target, acc);
        self.validate(target, acc);
        if !acc.broken
            && let Err(trouble) = acc.vars.add(&kustomization.vars, &mut acc.map, &self.schema())
        {
            self.break_off(target, acc, trouble, "vars");
        }
        self.pass(target, acc);
    }

    pub fn break_off(&self, target: &Target<'_, 'f>, acc: &mut Accumulator, trouble: Trouble, field: &str) {
        let Failed = target.fail(self, trouble, field);
        acc.broken = true;
    }

    fn add_config(&self, target: &Target<'_, 'f>, acc: &mut Accumulator) -> Outcome<()> {
        let kustomization = &target.kustomization;
        let reader = self.reader(&target.place);
        acc.merge_config(Config::from_files(&kustomization.configurations, &reader)?)?;
        match kustomization.crds.is_empty() {
            true => Ok(()),
            false => {
                let config =
                    crate::config_crds::load(&kustomization.crds, &reader).map_err(|it| it.in_field("crds"))?;
                acc.merge_config(Arc::new(config))
            }
        }
    }

    /// Every object has now passed this kustomization.
    fn pass(&self, target: &Target<'_, 'f>, acc: &mut Accumulator) {
        if self.kustomize.options.origins == Origins::None {
            return;
        }
        for resource in &mut acc.map.list {
            let passed = &mut Arc::make_mut(&mut resource.trail).kustomizations;
            if passed.last() != Some(&target.file) {
                passed.push(Arc::clone(&target.file));
            }
        }
    }

    /// Accumulates files and kustomizations that are named.
    pub fn resources(
        &self,
        target: &Target<'_, 'f>,
        paths: &[String],
        field: &dyn Fn(usize) -> String,
        acc: &mut Accumulator,
    ) {
        for (at, path) in paths.iter().enumerate() {
            if let Err(trouble) = self.resource(target, path, &field(at), acc) {
                self.break_off(target, acc, trouble, &field(at));
            }
        }
    }

    fn resource(&self, target: &Target<'_, 'f>, path: &str, field: &str, acc: &mut Accumulator) -> Outcome<()> {
        let reader = self.reader(&target.place);
        let not_a_file = match is_web(path) {
            true => None,
            false => match reader.find(path) {
                Ok(_) => return self.file(target, path, acc),
                Err(trouble) => Some(trouble),
            },
        };
        if is_web(path) || Repository::parse(path).is_some() {
            let (remote, inner) = reader.outside(path)?;
            let tree = Tree::Remote(remote);
            return match tree.files().kind(&inner) {
                Ok(Some(Kind::File)) => self.file(target, path, acc),
                Ok(Some(Kind::Folder)) => {
                    let place = Place {
                        tree,
                        folder: inner.into(),
                    };
                    self.folder(target, place, path, field, acc, false)
                }
                Ok(None) => Err(Trouble::new(format!("there is nothing at {path}"))),
                Err(error) => Err(Trouble::new(format!("{path} cannot be read: {error}"))),
            };
        }
        match target.place.enter(path) {
            Ok(place) if !path.is_empty() => self.folder(target, place, path, field, acc, false),
            Ok(_) => Err(Trouble::new("the path is empty")),
            Err(ReadError::Missing) => Err(Trouble::new(format!("there is no file or folder \"{path}\""))),
            Err(error) => {
                Err(not_a_file.unwrap_or_else(|| Trouble::new(format!("\"{path}\" cannot be read: {error}"))))
            }
        }
    }

    /// The objects of a file.
    fn file(&self, target: &Target<'_, 'f>, path: &str, acc: &mut Accumulator) -> Outcome<()> {
        let (objects, file) = self.reader(&target.place).objects(path)?;
        if acc.broken {
            return Ok(());
        }
        self.meter.objects(acc.map.list.len() + objects.len())?;
        let schema = self.schema();
        let mark = target.mark.as_ref().map(|mark| mark.append(path));
        let file: Arc<str> = file.into();
        let mut index = acc.map.index(&schema);
        for parsed in objects.iter() {
            let mut resource = self.declared(parsed, &file);
            if let Some(mark) = &mark {
                annotate::set(&mut resource, annotate::ORIGIN, mark.text());
            }
            let line = Some(parsed.line);
            acc.map
                .append(resource, &mut index, &schema)
                .map_err(|trouble| trouble.in_file(&*file, line))?;
        }
        Ok(())
    }

    /// The components, each on top of all that is there.
    fn components(&self, target: &Target<'_, 'f>, acc: &mut Accumulator) {
        for (at, path) in target.kustomization.components.iter().enumerate() {
            let field = format!("components[{at}]");
            if let Err(trouble) = self.component(target, path, &field, acc) {
                self.break_off(target, acc, trouble, &field);
            }
        }
    }

    fn component(&self, target: &Target<'_, 'f>, path: &str, field: &str, acc: &mut Accumulator) -> Outcome<()> {
        let place = match is_web(path) || Repository::parse(path).is_some() {
            true => {
                let (remote, inner) = self.reader(&target.place).outside(path)?;
                Place {
                    tree: Tree::Remote(remote),
                    folder: inner.into(),
                }
            }
            false => match target.place.enter(path) {
                _ if path.is_empty() => return Err(Trouble::new("the path is empty")),
                Ok(place) => place,
                Err(ReadError::Missing) => return Err(Trouble::new(format!("there is no folder \"{path}\""))),
                Err(ReadError::WrongKind) => {
                    return Err(Trouble::new(format!("\"{path}\" is a file; a component is a folder")));
                }
                Err(error) => return Err(Trouble::new(format!("\"{path}\" cannot be read: {error}"))),
            },
        };
        self.folder(target, place, path, field, acc, true)
    }

    /// The kustomization of a folder: as a component on top of what is there, else by itself.
    fn folder(
        &self,
        target: &Target<'_, 'f>,
        place: Place<'f>,
        path: &str,
        field: &str,
        acc: &mut Accumulator,
        component: bool,
    ) -> Outcome<()> {
        target.check_cycle(&place)?;
        self.meter.enter(target.depth + 1)?;
        let mark = target.mark.as_ref().map(|mark| mark.append(path));
        let Ok(inner) = self.load(place, Some(target), mark) else {
            acc.broken = true;
            return Ok(());
        };
        let is_component = inner.kustomization.is_component();
        if component != is_component {
            let message = match component {
                true => format!(
                    "a component is expected at \"{path}\", and its kind is '{}'",
                    inner.kustomization.kind
                ),
                false => format!("\"{path}\" is a component; it belongs into 'components'"),
            };
            return Err(Trouble::new(message).in_field(field));
        }
        if component {
            self.accumulate(&inner, acc);
            if !acc.broken {
                acc.map.check_unique(&self.schema())?;
            }
            return Ok(());
        }
        let mut own = Accumulator::default();
        self.accumulate(&inner, &mut own);
        acc.merge(own, &self.schema())
    }

    /// Reads the kustomization of a folder.
    pub fn load<'p>(
        &self,
        place: Place<'f>,
        parent: Option<&'p Target<'p, 'f>>,
        mark: Option<Mark>,
    ) -> Result<Target<'p, 'f>, Failed> {
        let (kustomization, found) = match self.reader(&place).kustomization() {
            Ok(read) => read,
            Err(troubles) => {
                for trouble in troubles {
                    let Failed = self.fail(trouble, &place.shown());
                }
                return Err(Failed);
            }
        };
        let file: Arc<str> = found.label().into();
        for spelling in &kustomization.deprecated {
            self.tell_deprecated(format!("{file}: {spelling}"));
        }
        let namespace_above = match parent {
            Some(parent) if !parent.kustomization.namespace.is_empty() => parent.kustomization.namespace.clone(),
            Some(parent) => parent.namespace_above.clone(),
            None => String::new(),
        };
        let depth = parent.map_or(0, |parent| parent.depth + 1);
        // Where the root builds metadata, all below it do.
        let mark = match parent {
            None => (!kustomization.build_metadata.is_empty()).then(Mark::default),
            Some(_) => mark,
        };
        let target = Target {
            kustomization,
            file,
            place,
            parent,
            depth,
            namespace_above,
            mark,
            path: found.path,
        };
        match self.set_schema(&target) {
            Ok(()) => Ok(target),
            Err(trouble) => Err(target.fail(self, trouble, "openapi")),
        }
    }

    /// The first kustomization that names types sets them for the rest of the build.
    fn set_schema(&self, target: &Target<'_, 'f>) -> Outcome<()> {
        let openapi = &target.kustomization.openapi;
        let text = |key: &str| openapi.get(key).and_then(serde_json::Value::as_str);
        let document = match text("path") {
            None => None,
            Some(path) => Some(self.reader(&target.place).plain(path)?),
        };
        if self.schema.borrow().1 {
            return Ok(());
        }
        match (document, text("version").filter(|version| !version.is_empty())) {
            (Some(_), _) if openapi.contains_key("version") => Err(Trouble::new(
                "a built-in version and a schema of one's own cannot be used both",
            )),
            (Some((documents, file)), _) => {
                let first = documents
                    .first()
                    .map(|first| Arc::clone(&first.value))
                    .unwrap_or_default();
                // The built-in types stay below those of a base once kustomize has had to load them.
                let over = (target.parent.is_some() && self.met_unknown.get()).then(Schema::builtin);
                let schema =
                    Schema::from_openapi(&first, over.as_deref()).map_err(|trouble| trouble.in_file(file, None))?;
                *self.schema.borrow_mut() = (Arc::new(schema), true);
                Ok(())
            }
            (None, Some(version)) => {
                *self.schema.borrow_mut() = (Schema::of_version(version)?, true);
                Ok(())
            }
            (None, None) => Ok(()),
        }
    }
}

impl Target<'_, '_> {
    /// That a place is neither this kustomization nor above it, nor above one that led here.
    fn check_cycle(&self, place: &Place<'_>) -> Outcome<()> {
        let mut here = Some(self);
        let fetched = !place.tree.is_same(&self.place.tree);
        while let Some(target) = here {
            let again = match (&place.tree, &target.place.tree) {
                (Tree::Remote(new), Tree::Remote(old)) => fetched && old.url.starts_with(&new.url),
                _ => false,
            };
            if again || place.contains(&target.place) {
                let message = format!(
                    "cycle: \"{}\" contains \"{}\", which led here",
                    place.shown(),
                    target.place.shown()
                );
                return Err(Trouble::new(message));
            }
            here = target.parent;
        }
        Ok(())
    }

    /// Whether the kustomization asks for something that only charts need.
    pub fn chart_namespace(&self) -> &str {
        match &*self.kustomization {
            Kustomization { namespace, .. } if !namespace.is_empty() => namespace,
            _ => &self.namespace_above,
        }
    }
}
