//! Places for new objects, by the habits of the repository: where the others of their app lie, of their namespace, of their kind.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use super::engine::is_bootstrapped;
use super::spot::{Finder, Spot};
use super::template::is_of_template;
use crate::declared::is_kustomization;
use crate::object::{Declared, GroupKind, Manifest, Renderer};
use crate::source::path::{is_within, parent};

/// Places that are tried for a new object at most.
const MOST: usize = 6;

/// Labels that name an app.
const LABELS: [&str; 2] = ["app.kubernetes.io/name", "app"];

/// Folders by namespace and kind.
type Likely = BTreeMap<(Option<String>, GroupKind), Vec<String>>;

/// Where the repository has what it declares.
pub(super) struct Homes<'a> {
    all: Vec<Home<'a>>,
    /// Folders of apps: those in which most objects are of the app for which the folder, or one around it, is named.
    apps: BTreeMap<String, Vec<OfApp>>,
    /// Files of apps, named for them, where the files of a folder hold many objects each.
    files: BTreeMap<String, Vec<OfApp>>,
    /// What was asked for already.
    known: RefCell<Likely>,
}

/// Where an object could have its like.
struct Home<'a> {
    declared: &'a Declared,
    folder: String,
    /// Whether that is a folder of its unit, and not one that the unit is built on.
    own: bool,
    /// The folder that others of its app could go to: an overlay further in, where its unit is built of one for each app.
    nearest: String,
}

/// A folder or file of an app.
struct OfApp {
    place: String,
    /// Whether it is named for it itself, and not a folder around it.
    named: bool,
    /// The namespaces of what lies there.
    namespaces: BTreeSet<String>,
    /// How many objects of the app.
    count: usize,
}

impl<'a> Homes<'a> {
    /// Files of the units themselves go before those of bases, and for a base on which several overlays are built stands the overlay. What
    /// a chart makes stands for a place beside its HelmRelease, else among its templates.
    pub fn of(finder: &Finder<'a>) -> Self {
        let (tree, set) = (finder.tree, finder.known.set);
        let is_editable = |declared: &Declared| {
            let file = &declared.provenance.file;
            let is_open = declared.provenance.renderer != Renderer::Helm || is_of_template(tree, declared);
            is_open && tree.is_file(file) && !is_kustomization(file) && !is_bootstrapped(file)
        };
        let home = |declared: &'a Declared| {
            let stands = finder.helm_release(declared).unwrap_or(declared);
            let (file, unit) = (&stands.provenance.file, set.units.get(stands.unit.0));
            let unit = unit.map_or("", |unit| &*unit.path);
            let is_kustomized = stands.provenance.renderer == Renderer::Kustomize;
            let is_shared = is_kustomized && finder.layers.is_shared(file) && finder.layers.has(unit);
            let (folder, nearest, own) = match is_shared {
                true => (unit, finder.layers.nearest(unit, file), true),
                false => (parent(file), parent(file), is_within(file, unit)),
            };
            is_editable(stands).then(|| Home {
                declared,
                folder: folder.to_owned(),
                own,
                nearest: nearest.to_owned(),
            })
        };
        let all: Vec<Home<'a>> = set.objects.iter().filter_map(home).collect();
        Self {
            apps: folders_of_apps(&all),
            files: files_of_apps(&all),
            all,
            known: RefCell::default(),
        }
    }

    /// Places for a new object, the likeliest first: the folder of its app, its file, folders in one of it, then those with most objects of
    /// its namespace (of its kind, where it has none).
    pub fn spots(&self, manifest: &Manifest) -> Vec<Spot> {
        let key = (manifest.namespace().map(str::to_owned), manifest.group_kind());
        let mut known = self.known.borrow_mut();
        let likely = known.entry(key).or_insert_with(|| self.likely(manifest));
        let folders = |folders: Vec<&str>| {
            folders
                .into_iter()
                .map(|folder| Spot::NewFile {
                    folder: folder.to_owned(),
                })
                .collect()
        };
        let files = of_app(&self.files, manifest, true).into_iter();
        let places: [Vec<Spot>; 4] = [
            folders(of_app(&self.apps, manifest, true)),
            files.map(|file| Spot::Behind { file: file.to_owned() }).collect(),
            folders(of_app(&self.apps, manifest, false)),
            folders(likely.iter().map(String::as_str).collect()),
        ];
        let mut found: Vec<Spot> = Vec::new();
        for spot in places.into_iter().flatten() {
            if found.len() < MOST && !found.iter().any(|known| known.file() == spot.file()) {
                found.push(spot);
            }
        }
        found
    }

    fn likely(&self, manifest: &Manifest) -> Vec<String> {
        let kind = manifest.group_kind();
        let in_namespace = manifest.namespace().map(|namespace| {
            self.most(&|declared| {
                declared.id.namespace.as_deref() == Some(namespace)
                    || declared.id.is("", "Namespace") && declared.id.name == namespace
            })
        });
        let of_kind = self.most(&|declared| declared.id.group_kind() == kind);
        let alike = self.most(&|declared| declared.id.namespace.is_none() == manifest.namespace().is_none());
        // Where all is in one folder it takes what is like nothing in it, too.
        let anywhere = Some(self.most(&|_| true)).filter(|folders| folders.len() == 1);
        let likely = in_namespace.into_iter().flatten().chain(of_kind).chain(alike);
        likely
            .chain(anywhere.into_iter().flatten())
            .map(str::to_owned)
            .collect()
    }

    /// The folders that have objects like this, those with most of them first.
    fn most(&self, alike: &dyn Fn(&Declared) -> bool) -> Vec<&str> {
        let mut counts: BTreeMap<&str, (bool, usize)> = BTreeMap::new();
        for home in self.all.iter().filter(|home| alike(home.declared)) {
            let (is_own, count) = counts.entry(&home.folder).or_default();
            *is_own |= home.own;
            *count += 1;
        }
        let mut folders: Vec<(&str, (bool, usize))> = counts.into_iter().collect();
        folders.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        folders.into_iter().map(|(folder, _)| folder).collect()
    }
}

/// The places of the apps of an object.
fn of_app<'h>(places: &'h BTreeMap<String, Vec<OfApp>>, manifest: &Manifest, named: bool) -> Vec<&'h str> {
    let fits = |of: &&OfApp| {
        let namespace = manifest.namespace();
        of.named == named && namespace.is_none_or(|namespace| of.namespaces.contains(namespace))
    };
    let apps = apps(manifest).into_iter();
    let of = apps.filter_map(|app| places.get(app)).flatten();
    of.filter(fits).map(|of| &*of.place).collect()
}

fn folders_of_apps(all: &[Home<'_>]) -> BTreeMap<String, Vec<OfApp>> {
    let mut folders: BTreeMap<&str, Vec<&Declared>> = BTreeMap::new();
    for home in all {
        folders.entry(&home.nearest).or_default().push(home.declared);
    }
    let mut found: BTreeMap<String, Vec<OfApp>> = BTreeMap::new();
    for (folder, objects) in folders {
        let names: BTreeSet<&str> = folder.split('/').filter(|name| !name.is_empty()).collect();
        for name in names {
            let is_named = folder.rsplit('/').next() == Some(name);
            let of = OfApp::new(folder, is_named, name, &objects);
            found.entry(name.to_owned()).or_default().extend(of);
        }
    }
    for folders in found.values_mut() {
        folders.sort_by_key(|of| std::cmp::Reverse(of.count));
    }
    found
}

fn files_of_apps(all: &[Home<'_>]) -> BTreeMap<String, Vec<OfApp>> {
    let mut files: BTreeMap<&str, Vec<&Declared>> = BTreeMap::new();
    let own = all.iter().filter(|home| {
        let provenance = &home.declared.provenance;
        home.nearest == parent(&provenance.file) && provenance.renderer != Renderer::Helm
    });
    for home in own {
        files
            .entry(&home.declared.provenance.file)
            .or_default()
            .push(home.declared);
    }
    let holds_many = |objects: &[&Declared]| {
        let documents: BTreeSet<usize> = objects.iter().map(|one| one.provenance.document).collect();
        documents.len() > 1
    };
    // By folder: how many files, and how many of them hold many.
    let mut habits: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    for (file, objects) in &files {
        let (count, many) = habits.entry(parent(file)).or_default();
        *count += 1;
        *many += usize::from(holds_many(objects));
    }
    let mut found: BTreeMap<String, Vec<OfApp>> = BTreeMap::new();
    for (file, objects) in &files {
        let (count, many) = habits[parent(file)];
        let name = file.rsplit('/').next().and_then(|name| name.rsplit_once('.'));
        if let Some((name, _)) = name.filter(|_| holds_many(objects) && many * 2 > count) {
            let of = OfApp::new(file, true, name, objects);
            found.entry(name.to_owned()).or_default().extend(of);
        }
    }
    found
}

impl OfApp {
    /// A place with these objects, if most of them are of the app.
    fn new(place: &str, named: bool, app: &str, objects: &[&Declared]) -> Option<Self> {
        let count = objects.iter().filter(|one| apps(&one.manifest).contains(&app)).count();
        let namespaces = objects.iter().filter_map(|one| match one.id.is("", "Namespace") {
            true => Some(one.id.name.clone()),
            false => one.id.namespace.clone(),
        });
        (count * 2 > objects.len()).then(|| Self {
            place: place.to_owned(),
            named,
            namespaces: namespaces.collect(),
            count,
        })
    }
}

/// The apps of which an object may be a part, the surest first: by its labels, by the workload that it scales or selects, by its name, and
/// in a namespace by what its name begins with.
fn apps(manifest: &Manifest) -> Vec<&str> {
    let (value, name) = (manifest.value(), manifest.name());
    let spec = &value["spec"];
    let maps = [
        &value["metadata"]["labels"],
        &spec["selector"]["matchLabels"],
        &spec["selector"],
        &spec["podSelector"]["matchLabels"],
    ];
    let by_labels = maps
        .into_iter()
        .flat_map(|labels| LABELS.map(|label| labels[label].as_str()));
    let scaled = ["scaleTargetRef", "targetRef"].map(|target| spec[target]["name"].as_str());
    let starts = name.match_indices('-').rev().map(|(end, _)| &name[..end]);
    let starts = starts.filter(|_| manifest.namespace().is_some());
    let sure = by_labels.chain(scaled).flatten();
    sure.chain([name]).chain(starts).collect()
}
