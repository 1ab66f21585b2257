//! The page of an audit in a browser: search, sorting and the keyboard, as its script has them.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use super::send;
use crate::support::plane::fresh;
use crate::support::repo::Repo;
use crate::support::run::refloat;
use crate::support::tools::skipped;

/// What a person does with the page, one after the other, and what is to be seen then.
const PERSON: &str = r##"<script>
const seen = () => [...document.querySelectorAll("#b tr")].filter(row => !row.hidden).map(row => row.cells[2].dataset.k);
const type = text => { query.value = text; query.dispatchEvent(new Event("input")); };
const press = key => document.activeElement.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true }));
const sort = column => { const button = heads[column].querySelector("button"); button.focus(); button.click(); return heads.map(head => head.getAttribute("aria-sort")); };
const told = { all: seen(), note: note.textContent };
press("/");
told.focus = document.activeElement.id;
type("kubectl SHOP");
told.words = [seen(), note.textContent];
type(".data.a");
told.field = seen();
press("Escape");
told.escaped = [query.value, seen().length];
verdict.value = "missing";
verdict.dispatchEvent(new Event("change"));
told.verdict = seen();
verdict.value = "";
verdict.dispatchEvent(new Event("change"));
told.up = [sort(2), seen()];
told.down = [sort(2), seen()];
told.worst = [sort(0), seen()];
told.reachable = document.activeElement.tagName;
const open = document.querySelector("#b details");
open.querySelector("summary").click();
told.open = open.open;
const bars = [...document.querySelectorAll(".bar")];
told.bars = bars.map(bar => [bar.closest("tr").cells[0].textContent, Math.round(100 * bar.firstChild.offsetWidth / bar.offsetWidth)]);
told.colors = [document.body, bars[0], bars[0].firstChild].map(one => getComputedStyle(one).backgroundColor);
told.dark = matchMedia("(prefers-color-scheme: dark)").matches;
told.wide = document.documentElement.scrollWidth <= window.innerWidth;
const end = document.createElement("pre");
end.id = "told";
end.textContent = JSON.stringify(told);
document.body.append(end);
</script></body>"##;

/// The page after its scripts ran.
fn opened(chromium: &Path, page: &Path, more: &[&str]) -> String {
    let profile = tempfile::tempdir().expect("because a temporary folder can be made");
    #[expect(clippy::disallowed_methods, reason = "tests look at the page in a browser itself")]
    let output = Command::new(chromium)
        .args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--virtual-time-budget=2000",
        ])
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .args(more)
        .arg("--dump-dom")
        .arg(format!("file://{}", page.display()))
        .env("HOME", profile.path())
        .output()
        .expect("because it is there");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("because it is text")
}

#[test]
fn a_page_is_searched_and_sorted() {
    let names = ["chromium", "chromium-browser", "google-chrome"];
    let Some(chromium) = names.into_iter().find_map(refloat::process::which) else {
        skipped("how a page is searched and sorted: no Chromium is on PATH");
        return;
    };
    let plane = fresh();
    let map = |name: &str| {
        format!(
            "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}, namespace: shop}}\ndata: {{a: \"1\"}}\n"
        )
    };
    let namespace = "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n";
    let repo = Repo::with(&[("shop.yaml", &format!("{namespace}{}{}", map("kept"), map("gone")))]);
    super::restore(&plane, repo.path(), &[]);
    let maps = |namespace: &str| format!("/api/v1/namespaces/{namespace}/configmaps");
    for (namespace, name) in [("shop", "m2"), ("shop", "m10"), ("default", "a")] {
        let path = format!("{}?fieldManager=kubectl-create", maps(namespace));
        send(
            &plane,
            "POST",
            &path,
            "application/json",
            &json!({"metadata": {"name": name}}),
        );
    }
    let edit = format!("{}/kept?fieldManager=kubectl-edit", maps("shop"));
    send(
        &plane,
        "PATCH",
        &edit,
        "application/merge-patch+json",
        &json!({"data": {"a": "2"}}),
    );
    send(&plane, "DELETE", &format!("{}/gone", maps("shop")), "", &json!({}));
    let folder = tempfile::tempdir().expect("because a temporary folder can be made");
    let page = folder.path().join("audit.html");
    let (kubeconfig, place) = (plane.kubeconfig(), repo.path().display().to_string());
    let report = page.display().to_string();
    let ran = refloat(["audit", &place, "--kubeconfig", &kubeconfig, "--report", &report]).run();
    assert_eq!(ran.code, 3, "{}", ran.stderr);
    let text = std::fs::read_to_string(&page).expect("because it was written");
    std::fs::write(&page, text.replace("</body>", PERSON)).expect("because the folder is ours");

    let (never, drifted, missing) = (
        ["ConfigMap a", "ConfigMap m10", "ConfigMap m2"],
        "ConfigMap kept",
        "ConfigMap gone",
    );
    // Chromium's number for the scheme that a person prefers.
    let schemes = [(false, "preferredColorScheme=1"), (true, "preferredColorScheme=0")];
    for (width, (dark, scheme)) in ["--window-size=1300,900", "--window-size=500,900"]
        .into_iter()
        .zip(schemes)
    {
        let dom = opened(&chromium, &page, &[width, &format!("--blink-settings={scheme}")]);
        let told = dom
            .split_once("<pre id=\"told\">")
            .and_then(|(_, rest)| rest.split_once("</pre>"));
        let (told, _) = told.unwrap_or_else(|| panic!("{dom}"));
        let told: Value = serde_json::from_str(told).unwrap_or_else(|error| panic!("{error}: {told}"));
        let all = json!([never[0], never[1], never[2], drifted, missing]);
        assert_eq!((&told["all"], &told["note"]), (&all, &json!("5 of 5")), "{told}");
        assert_eq!(told["focus"], "q");
        assert_eq!(told["words"], json!([[never[1], never[2], drifted], "3 of 5"]));
        assert_eq!(told["field"], json!([drifted]));
        assert_eq!(told["escaped"], json!(["", 5]));
        assert_eq!(told["verdict"], json!([missing]));
        let sorted = |column: usize, way: &str| {
            let ways = (0..5).map(|number| if number == column { json!(way) } else { Value::Null });
            Value::Array(ways.collect())
        };
        // Numbers in names count as numbers.
        let up = json!([never[0], missing, drifted, never[2], never[1]]);
        assert_eq!(told["up"], json!([sorted(2, "ascending"), up]));
        let down = json!([never[1], never[2], drifted, missing, never[0]]);
        assert_eq!(told["down"], json!([sorted(2, "descending"), down]));
        assert_eq!(told["worst"][0], sorted(0, "ascending"));
        assert_eq!(
            (&told["worst"][1][3], &told["worst"][1][4]),
            (&json!(drifted), &json!(missing))
        );
        assert_eq!(
            (&told["reachable"], &told["open"], &told["wide"]),
            (&json!("BUTTON"), &json!(true), &json!(true)),
            "{width}"
        );
        assert_eq!(
            told["bars"],
            json!([["all", 20], ["cluster-scoped", 100], ["default", 0], ["shop", 0]])
        );
        let (page, bar, share) = match dark {
            false => ("rgb(255, 255, 255)", "rgb(208, 215, 222)", "rgb(26, 127, 55)"),
            true => ("rgb(15, 20, 25)", "rgb(47, 55, 66)", "rgb(86, 211, 100)"),
        };
        assert_eq!(
            (&told["dark"], &told["colors"]),
            (&json!(dark), &json!([page, bar, share]))
        );
    }
}
