//! Flux: where the chart of a HelmRelease may come from beside a repository of charts over HTTP.

use std::sync::Arc;

use refloat::declared::Options;
use refloat::declared::helm::{CHART_LAYER, Charts, Configuration};
use refloat::object::DeclaredSet;
use serde_json::{Value, json};

use super::{load_with, objects, problems};
use crate::charts::packed;
use crate::charts::registries::Held;
use crate::support::repo::Repo;
use crate::support::run::tool_folder;

const TEMPLATE: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: {{ .Release.Name }}}\n\
    data: {chart: '{{ .Chart.Name }}-{{ .Chart.Version }}', colour: {{ .Values.colour }}}\n";

fn object(group: &str, kind: &str, name: &str, spec: &str) -> String {
    format!(
        "apiVersion: {group}\nkind: {kind}\nmetadata: {{name: {name}, namespace: shop}}\nspec: {{interval: 1m, {spec}}}\n---\n"
    )
}

fn release(name: &str, spec: &str) -> String {
    object("helm.toolkit.fluxcd.io/v2", "HelmRelease", name, spec)
}

fn read(all: &str, more: &[(&str, &str)]) -> DeclaredSet {
    let repo = Repo::with(&[&[("cluster/all.yaml", all)], more].concat());
    let options = Options {
        helm: Some(tool_folder("helm").join("helm")),
        charts: Arc::new(Charts::new(None, Vec::new(), Configuration::default(), false)),
        ..Options::default()
    };
    load_with(&repo, "cluster", options)
}

fn rendered(set: &DeclaredSet, name: &str) -> Value {
    let found = objects(set)
        .get(&*format!("ConfigMap/shop/{name}"))
        .map(|map| map["data"].clone());
    found.unwrap_or_default()
}

fn chart(version: &str) -> Vec<u8> {
    let files = [
        ("values.yaml", "colour: red\n"),
        ("prod.yaml", "colour: green\n"),
        ("templates/map.yaml", TEMPLATE),
    ];
    packed("web", version, &files)
}

#[test]
fn charts_of_registries_are_released() {
    let mut held = Held::default();
    held.artifact("charts/web", "1.0.3", CHART_LAYER, &chart("1.0.3"));
    let digest = held.artifact("charts/web", "1.2.0", CHART_LAYER, &chart("1.2.0"));
    held.tags("charts/web", &["1.0.3", "1.2.0"]);
    let web = held.served();
    let host = web.host();
    let source = |kind: &str, name: &str, spec: &str| object("source.toolkit.fluxcd.io/v1", kind, name, spec);
    let all = [
        source(
            "OCIRepository",
            "web",
            &format!(
                "insecure: true, url: 'oci://{host}/charts/web', ref: {{tag: 1.2.0}}, layerSelector: {{mediaType: {CHART_LAYER}, operation: copy}}"
            ),
        ),
        source(
            "HelmRepository",
            "charts",
            &format!("type: oci, insecure: true, url: 'oci://{host}/charts'"),
        ),
        source(
            "HelmChart",
            "web",
            "chart: web, version: 1.0.x, valuesFiles: [values.yaml, prod.yaml], sourceRef: {kind: HelmRepository, name: charts}",
        ),
        release("artifact", "chartRef: {kind: OCIRepository, name: web}"),
        release("chart", "chartRef: {kind: HelmChart, name: web}"),
        release(
            "named",
            "chart: {spec: {chart: web, version: ^1.0, sourceRef: {kind: HelmRepository, name: charts}}}",
        ),
    ];
    let set = read(&all.concat(), &[]);
    assert_eq!(problems(&set), Vec::<String>::new());
    let of_digest: String = digest.trim_start_matches("sha256:").chars().take(12).collect();
    for (name, chart, colour) in [
        ("artifact", format!("web-1.2.0+{of_digest}"), "red"),
        ("chart", "web-1.0.3+1".to_owned(), "green"),
        ("named", "web-1.2.0".to_owned(), "red"),
    ] {
        assert_eq!(
            rendered(&set, name),
            json!({"chart": chart, "colour": colour}),
            "{name}"
        );
        let unit = format!("HelmRelease/shop/{name}");
        let unit = set.units.iter().find(|one| one.name == unit);
        assert!(unit.is_some_and(|unit| unit.record.is_some()), "Helm will know {name}");
    }
}

/// The chart is in a folder of the artifact, since Helm reads it as a packed chart.
/// Source: <https://fluxcd.io/flux/components/source/artifactgenerators/#helm-chart-composition-example>.
#[test]
fn a_chart_that_a_generator_puts_together_is_released() {
    let files = [
        ("charts/web/Chart.yaml", "apiVersion: v2\nname: web\nversion: 0.3.0\n"),
        ("charts/web/values.yaml", "colour: red\n"),
        ("charts/web/templates/map.yaml", TEMPLATE),
        ("values/prod.yaml", "colour: blue\n"),
    ];
    let all = |to: &str| {
        let spec = format!(
            "sources: [{{alias: repo, kind: GitRepository, name: flux-system, namespace: flux-system}}], artifacts: [{{name: made, copy: [\
             {{from: '@repo/charts/web/**', to: '@artifact/{to}'}}, {{from: '@repo/values/prod.yaml', to: '@artifact/{to}values.yaml', strategy: Merge}}]}}]"
        );
        [
            object("source.extensions.fluxcd.io/v1beta1", "ArtifactGenerator", "web", &spec),
            release("web", "chartRef: {kind: ExternalArtifact, name: made}"),
        ]
        .concat()
    };
    let set = read(&all("web/"), &files);
    assert_eq!(problems(&set), Vec::<String>::new());
    assert_eq!(rendered(&set, "web"), json!({"chart": "web-0.3.0", "colour": "blue"}));
    let map = set.objects.iter().find(|one| one.id.kind == "ConfigMap");
    let place = map.map(|map| map.provenance.place().to_string());
    assert_eq!(
        place.as_deref(),
        Some("cluster/all.yaml:6"),
        "no file of the repository is it"
    );

    let nothing = |set: &DeclaredSet, why: &str| {
        let told = problems(set);
        let expected = format!("HelmRelease/shop/web: nothing of this HelmRelease is restored: {why}");
        assert!(told.len() == 1 && told[0].ends_with(&expected), "{told:?}");
    };
    nothing(
        &read(&all(""), &files),
        "ExternalArtifact/shop/made has no folder at its top with a Chart.yaml in it",
    );
    let alone = release("web", "chartRef: {kind: ExternalArtifact, name: made}");
    nothing(
        &read(&alone, &files),
        "nothing declares its source ExternalArtifact/shop/made",
    );
}
