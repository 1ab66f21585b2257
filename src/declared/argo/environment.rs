//! What Argo CD puts into texts of an Application before it renders it (`reposerver/repository/repository.go`, `newEnv`).

use std::collections::BTreeMap;

use argo_cd::application::{Kustomize, Source};
use argo_cd::expanded;

use super::render::Failed;

/// Letters of a commit in `ARGOCD_APP_REVISION_SHORT`, and in `ARGOCD_APP_REVISION_SHORT_8`.
const SHORT: [usize; 2] = [7, 8];

/// Values by their names; of what depends on a revision that is not known there is none.
pub(super) struct Environment(BTreeMap<&'static str, Option<String>>);

impl Environment {
    /// That of a source. `app` is the Application as its objects are marked, `revision` a commit or the version of a chart.
    pub fn new(app: &str, namespace: &str, project: &str, source: &Source, revision: Option<&str>) -> Self {
        let short = |length: usize| revision.map(|revision| revision.chars().take(length).collect());
        let known = |text: &str| Some(text.to_owned());
        Self(BTreeMap::from([
            ("ARGOCD_APP_NAME", known(app)),
            ("ARGOCD_APP_NAMESPACE", known(namespace)),
            ("ARGOCD_APP_PROJECT_NAME", known(project)),
            ("ARGOCD_APP_REVISION", revision.map(str::to_owned)),
            ("ARGOCD_APP_REVISION_SHORT", short(SHORT[0])),
            ("ARGOCD_APP_REVISION_SHORT_8", short(SHORT[1])),
            ("ARGOCD_APP_SOURCE_PATH", known(&source.path)),
            ("ARGOCD_APP_SOURCE_REPO_URL", known(&source.repo_url)),
            ("ARGOCD_APP_SOURCE_TARGET_REVISION", known(&source.target_revision)),
        ]))
    }

    /// Whether it has a variable.
    pub fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// A text with variables replaced; those that nobody knows are empty.
    ///
    /// # Errors
    /// When the text asks for a revision that is not known.
    pub fn expand(&self, text: &str) -> Result<String, Failed> {
        expanded(text, |name| match self.0.get(name) {
            None => Ok(String::new()),
            Some(Some(value)) => Ok(value.clone()),
            Some(None) => {
                let why = format!("it is rendered with {name}, and the commit of its source is not known");
                Err((
                    why,
                    Some("read the repository from a Git clone, not from a plain folder".to_owned()),
                ))
            }
        })
    }

    /// Options of Kustomize with variables replaced where Argo CD does so (`util/kustomize/kustomize.go`, `Build`).
    ///
    /// # Errors
    /// As [`Environment::expand`].
    pub fn of_kustomize(&self, options: &Kustomize) -> Result<Kustomize, Failed> {
        let all = |map: &BTreeMap<String, String>| {
            map.iter()
                .map(|(key, value)| Ok((key.clone(), self.expand(value)?)))
                .collect::<Result<_, Failed>>()
        };
        Ok(Kustomize {
            images: options
                .images
                .iter()
                .map(|image| self.expand(image))
                .collect::<Result<_, _>>()?,
            common_labels: all(&options.common_labels)?,
            common_annotations: match options.common_annotations_envsubst {
                true => all(&options.common_annotations)?,
                false => options.common_annotations.clone(),
            },
            ..options.clone()
        })
    }
}
