//! Changed files as a patch in Git's format.
//!
//! The format is that of `git format-patch` and `git diff --full-index` (`git help diff`, "Generating patch text with -p"), the quoting
//! of names that of `core.quotePath`. A patch of files with CRLF line ends is sent quoted-printable, since `git am` drops the CR of
//! lines that are sent as they are (`git help mailsplit`, `--keep-cr`).

use jiff::Timestamp;

use gix::diff::blob::unified_diff::{ConsumeHunk, ContextSize, DiffLineKind, HunkHeader};
use gix::diff::blob::{Algorithm, InternedInput, UnifiedDiff, diff_with_slider_heuristics};
use gix::objs::tree::EntryKind;

use super::Tree;
use super::change::{Change, Files, changes};
use super::identity::Author;
use crate::error::{Failure, Kind, printable};

/// What stands above a patch.
#[derive(Debug, Clone, Copy)]
pub struct PatchHead<'a> {
    /// Who made it.
    pub author: &'a Author,
    /// When.
    pub date: Timestamp,
    /// One line.
    pub subject: &'a str,
    /// More lines, or none.
    pub body: &'a str,
}

/// A patch with its message, for `git am`. Empty when no file changes.
///
/// # Errors
/// A file cannot be changed, or is binary.
pub fn patch(tree: &Tree, files: &Files, head: &PatchHead<'_>) -> Result<Vec<u8>, Failure> {
    let diff = diff(tree, files)?;
    if diff.is_empty() {
        return Ok(diff);
    }
    let mut body = message(head.body).into_bytes();
    body.extend_from_slice(b"---\n\n");
    body.extend_from_slice(&diff);
    body.extend_from_slice(concat!("-- \nrefloat ", env!("CARGO_PKG_VERSION"), "\n\n").as_bytes());
    let has_cr = body.contains(&b'\r');
    let encoding = if has_cr { "quoted-printable" } else { "8bit" };
    let mut mail = format!(
        "From {zero} Mon Sep 17 00:00:00 2001\nFrom: {name} <{email}>\nDate: {date}\nSubject: [PATCH] {subject}\n\
         MIME-Version: 1.0\nContent-Type: text/plain; charset=UTF-8\nContent-Transfer-Encoding: {encoding}\n\n",
        zero = "0".repeat(40),
        name = phrase(&head.author.name),
        email = one_line(&head.author.email),
        date = head.date.strftime("%a, %d %b %Y %H:%M:%S +0000"),
        subject = encoded_words(&one_line(head.subject)),
    )
    .into_bytes();
    match has_cr {
        true => mail.extend_from_slice(&quoted_printable(&body)),
        false => mail.append(&mut body),
    }
    Ok(mail)
}

/// The changes alone, for `git apply` and for reading. Empty when no file changes.
///
/// # Errors
/// A file cannot be changed, or is binary.
pub fn diff(tree: &Tree, files: &Files) -> Result<Vec<u8>, Failure> {
    let changes = changes(tree, files)?;
    let is_binary = |text: &Option<std::sync::Arc<[u8]>>| text.as_ref().is_some_and(|text| text.contains(&0));
    let binary: Vec<&Change> = changes
        .iter()
        .filter(|change| is_binary(&change.before) || is_binary(&change.after))
        .collect();
    if !binary.is_empty() {
        let failure = Failure::new(Kind::Input, "no patch could be made")
            .hint("make a commit instead: it takes files of any kind");
        let cause = |failure: Failure, change: &&Change| {
            failure.because(format!("{} is no text: it has NUL bytes", printable(&change.path)))
        };
        return Err(binary.iter().fold(failure, cause));
    }
    let mut out = Vec::new();
    for change in &changes {
        file(change, &mut out)?;
    }
    Ok(out)
}

/// The part of one file.
fn file(change: &Change, out: &mut Vec<u8>) -> Result<(), Failure> {
    let (before, after) = (change.before.as_deref(), change.after.as_deref());
    let (a, b) = (format!("a/{}", change.path), format!("b/{}", change.path));
    let mode = if change.mode == EntryKind::BlobExecutable {
        "100755"
    } else {
        "100644"
    };
    let mut head = format!("diff --git {} {}\n", quoted(&a), quoted(&b));
    match (before, after) {
        (None, _) => head += &format!("new file mode {mode}\n"),
        (_, None) => head += &format!("deleted file mode {mode}\n"),
        _ => {}
    }
    let always = if before.is_some() && after.is_some() {
        format!(" {mode}")
    } else {
        String::new()
    };
    head += &format!("index {}..{}{always}\n", id(before)?, id(after)?);
    // An empty file has no lines to show, and then Git shows no names either.
    if before.unwrap_or_default() != after.unwrap_or_default() {
        let side = |name: &str, there: bool| if there { named(name) } else { "/dev/null".to_owned() };
        head += &format!(
            "--- {}\n+++ {}\n",
            side(&a, before.is_some()),
            side(&b, after.is_some())
        );
    }
    out.extend_from_slice(head.as_bytes());
    hunks(before.unwrap_or_default(), after.unwrap_or_default(), out);
    Ok(())
}

/// The id of a content as a blob.
fn id(content: Option<&[u8]>) -> Result<String, Failure> {
    let Some(content) = content else {
        return Ok("0".repeat(40));
    };
    let id = gix::objs::compute_hash(gix::hash::Kind::Sha1, gix::objs::Kind::Blob, content);
    let id = id.map_err(|cause| Failure::new(Kind::Input, "no patch could be made").because(cause))?;
    Ok(id.to_string())
}

/// Hunks with three lines of context.
fn hunks(before: &[u8], after: &[u8], out: &mut Vec<u8>) {
    let input = InternedInput::new(before, after);
    let diff = diff_with_slider_heuristics(Algorithm::Myers, &input);
    // Writing to memory does not fail.
    let _ = UnifiedDiff::new(&diff, &input, Hunks(out), ContextSize::symmetrical(3)).consume();
}

struct Hunks<'a>(&'a mut Vec<u8>);

impl ConsumeHunk for Hunks<'_> {
    type Out = ();

    fn consume_hunk(&mut self, at: HunkHeader, lines: &[(DiffLineKind, &[u8])]) -> std::io::Result<()> {
        // Of nothing, the line before it is told.
        let start = |start: u32, length: u32| if length == 0 { start - 1 } else { start };
        let (before, after) = (
            start(at.before_hunk_start, at.before_hunk_len),
            start(at.after_hunk_start, at.after_hunk_len),
        );
        let head = format!(
            "@@ -{before},{} +{after},{} @@\n",
            at.before_hunk_len, at.after_hunk_len
        );
        self.0.extend_from_slice(head.as_bytes());
        for (kind, line) in lines {
            self.0.push(kind.to_prefix() as u8);
            self.0.extend_from_slice(line);
            if !line.ends_with(b"\n") {
                self.0.extend_from_slice(b"\n\\ No newline at end of file\n");
            }
        }
        Ok(())
    }

    fn finish(self) {}
}

/// A name as Git writes it: in quotes where it has bytes that are not plain ASCII.
fn quoted(name: &str) -> String {
    let plain = |byte: u8| (0x20..0x7f).contains(&byte) && byte != b'"' && byte != b'\\';
    if name.bytes().all(plain) {
        return name.to_owned();
    }
    let mut out = "\"".to_owned();
    for byte in name.bytes() {
        match byte {
            b'\n' => out.push_str("\\n"),
            b'\t' => out.push_str("\\t"),
            b'\r' => out.push_str("\\r"),
            b'"' | b'\\' => out.extend(['\\', byte as char]),
            byte if plain(byte) => out.push(byte as char),
            byte => out.push_str(&format!("\\{byte:03o}")),
        }
    }
    out + "\""
}

/// A name in a line of its own: a tab tells where one with spaces ends.
fn named(name: &str) -> String {
    let end = if name.contains(' ') { "\t" } else { "" };
    quoted(name) + end
}

/// Beginnings of lines that would end the message or add to its head, for `git mailsplit` and `git mailinfo` (mailinfo.c,
/// `patchbreak` and `check_inbody_header`).
const MEANS_SOMETHING: [&str; 8] = [
    "---", "diff -", "Index: ", "From ", "From:", "Subject:", "Date:", "[PATCH]",
];

/// The body of a message: such lines are moved by one space.
fn message(body: &str) -> String {
    let mut out = String::new();
    for line in body.trim_end().lines() {
        let line = line.trim_end_matches('\r');
        let means = |word: &&str| {
            line.get(..word.len())
                .is_some_and(|begin| begin.eq_ignore_ascii_case(word))
        };
        if MEANS_SOMETHING.iter().any(means) {
            out.push(' ');
        }
        out.push_str(line);
        out.push('\n');
    }
    match out.is_empty() {
        true => out,
        false => out + "\n",
    }
}

fn one_line(text: &str) -> String {
    let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    text.trim().to_owned()
}

/// A name in a mail's head (RFC 5322, `phrase`).
fn phrase(name: &str) -> String {
    let name = one_line(name);
    let is_atom = |c: char| c.is_ascii_alphanumeric() || " !#$%&'*+-/=?^_`{|}~".contains(c);
    if name.chars().all(is_atom) {
        return name;
    }
    if name.is_ascii() {
        return format!("\"{}\"", name.replace('\\', "\\\\").replace('"', "\\\""));
    }
    encoded_words(&name)
}

/// Text in a mail's head: as it is, or as encoded words of at most 75 characters (RFC 2047).
fn encoded_words(text: &str) -> String {
    use base64::Engine as _;
    if text.is_ascii() && !text.contains("=?") {
        return text.to_owned();
    }
    let mut words = Vec::new();
    let mut word = String::new();
    for c in text.chars() {
        // 45 bytes make 60 characters, and 12 go around them.
        if word.len() + c.len_utf8() > 45 {
            words.push(std::mem::take(&mut word));
        }
        word.push(c);
    }
    words.push(word);
    let encode = |word: &String| format!("=?UTF-8?B?{}?=", base64::engine::general_purpose::STANDARD.encode(word));
    words.iter().map(encode).collect::<Vec<_>>().join("\n ")
}

/// RFC 2045, section 6.7: lines of at most 76 characters.
fn quoted_printable(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    for line in text.split_inclusive(|byte| *byte == b'\n') {
        let (content, end) = match line.strip_suffix(b"\n") {
            Some(content) => (content, "\n"),
            None => (line, ""),
        };
        let mut width = 0;
        for (at, byte) in content.iter().enumerate() {
            let is_last = at + 1 == content.len();
            let begins = width == 0 && content[at..].starts_with(b"From ");
            let plain = match byte {
                b' ' | b'\t' => !is_last,
                b'=' => false,
                byte => byte.is_ascii_graphic() && !begins,
            };
            let piece = if plain {
                (*byte as char).to_string()
            } else {
                format!("={byte:02X}")
            };
            if width + piece.len() > 75 {
                out.extend_from_slice(b"=\n");
                width = 0;
            }
            width += piece.len();
            out.extend_from_slice(piece.as_bytes());
        }
        out.extend_from_slice(end.as_bytes());
    }
    out
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::example::{git, git_tool, text};
    use super::super::{Options, open};
    use super::*;

    /// A repository in which every kind of file is that a patch may meet.
    fn repository() -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("because the tests need a temporary folder");
        let write = |path: &str, content: &str| {
            let at = folder.path().join(path);
            std::fs::create_dir_all(at.parent().expect("because it has one")).expect("because the folder is ours");
            std::fs::write(at, content).expect("because the folder is ours");
        };
        let long: String = (0..60).map(|line| format!("line {line}\n")).collect();
        write("long.yaml", &long);
        write("gone.yaml", "a: 1\nb: 2\n");
        write("open.yaml", "a: 1\nb: 2");
        write("closed.yaml", "a: 1\nb: 2\n");
        write("crlf.yaml", "a: 1\r\nb: 2\r\nc: 3=4 \r\n");
        write("größe/ein zwei.yaml", "größe: 1\n");
        write("with \"quotes\".yaml", "a: 1\n");
        write("run.sh", "#!/bin/sh\n");
        write("empty.yaml", "");
        write("base/web.yaml", "replicas: 1\n");
        let mut open = std::fs::metadata(folder.path().join("run.sh"))
            .expect("because it was written")
            .permissions();
        std::os::unix::fs::PermissionsExt::set_mode(&mut open, 0o755);
        std::fs::set_permissions(folder.path().join("run.sh"), open).expect("because the folder is ours");
        std::os::unix::fs::symlink("base", folder.path().join("prod")).expect("because the folder is ours");
        git(folder.path(), &["init", "-q", "-b", "main"]);
        git(folder.path(), &["config", "core.autocrlf", "false"]);
        git(folder.path(), &["add", "-A"]);
        git(folder.path(), &["commit", "-q", "-m", "declare"]);
        folder
    }

    fn tree(folder: &Path) -> Tree {
        open(&text(folder), &Options::default()).expect("because it is a repository")
    }

    fn files(of: &[(&str, Option<&str>)]) -> Files {
        of.iter()
            .map(|(path, content)| ((*path).to_owned(), content.map(|text| text.as_bytes().to_vec())))
            .collect()
    }

    fn head<'a>(author: &'a Author, body: &'a str) -> PatchHead<'a> {
        PatchHead {
            author,
            date: "2026-01-02T03:04:05Z".parse().expect("because it is a date"),
            subject: "shop: keep what größe was changed to by hand",
            body,
        }
    }

    fn me() -> Author {
        Author {
            name: "Jörg D. Müller".to_owned(),
            email: "joerg@example.invalid".to_owned(),
        }
    }

    /// Applied by `git am`, the tree must be what the files say, and the message be kept; `git apply` must take the diff alone.
    fn taken(folder: &Path, files: &Files, body: &str) {
        let tree = tree(folder);
        let check = git_tool(folder, &["apply", "--check", "--whitespace=nowarn"]);
        let checked = check
            .input(diff(&tree, files).expect("because it is text"))
            .run()
            .expect("because git is there");
        assert_eq!(checked.code, Some(0), "{}", String::from_utf8_lossy(&checked.stderr));
        let mail = patch(&tree, files, &head(&me(), body)).expect("because it is text");
        let ran = git_tool(folder, &["am", "--whitespace=nowarn"])
            .input(mail.clone())
            .run()
            .expect("because git is there");
        let said = String::from_utf8_lossy(&ran.stderr).into_owned() + &String::from_utf8_lossy(&ran.stdout);
        assert_eq!(ran.code, Some(0), "{said}\n{}", String::from_utf8_lossy(&mail));
        let (now, wanted) = (self::tree(folder), tree.with(files));
        let seen = |tree: &Tree| {
            let read = |path: &str| tree.read(path).expect("because it is there").to_vec();
            tree.files()
                .map(|path| (path.to_owned(), read(path)))
                .collect::<Vec<_>>()
        };
        assert!(seen(&now) == seen(&wanted), "{}", String::from_utf8_lossy(&mail));
        let subject = git(folder, &["log", "-1", "--format=%an <%ae>%n%s"]);
        let wanted = "Jörg D. Müller <joerg@example.invalid>\nshop: keep what größe was changed to by hand";
        assert_eq!(subject, wanted);
    }

    #[test]
    fn git_takes_every_kind_of_change() {
        let long: String = (0..60).map(|line| format!("line {line}\n")).collect();
        let long = long
            .replace("line 10\n", "line ten\n")
            .replace("line 50\n", "")
            .replace("line 0\n", "first\nline 0\n");
        let cases: &[&[(&str, Option<&str>)]] = &[
            &[("long.yaml", Some(&long))],
            &[("new.yaml", Some("a: 1\n")), ("deep/er/new.yaml", Some("a: 1"))],
            &[("gone.yaml", None), ("empty.yaml", None)],
            &[("open.yaml", Some("a: 2\nb: 2")), ("closed.yaml", Some("a: 1\nb: 2"))],
            &[("open.yaml", Some("a: 1\nb: 2\n")), ("nothing.yaml", Some(""))],
            &[
                ("crlf.yaml", Some("a: 1\r\nb: 3\r\nc: 3=4 \r\n")),
                ("new.yaml", Some("größe: 1 \r\n")),
            ],
            &[
                ("größe/ein zwei.yaml", Some("größe: 2\n")),
                ("a b/c d.yaml", Some("a: 1\n")),
            ],
            &[
                ("größe/ein zwei.yaml", None),
                ("with \"quotes\".yaml", Some("a: 2\n")),
                ("tab\there.yaml", Some("a")),
            ],
            &[("run.sh", Some("#!/bin/sh\nexit 1\n")), ("long.yaml", Some(""))],
            &[
                ("prod/web.yaml", Some("replicas: 3\n")),
                ("prod/db.yaml", Some("replicas: 1\n")),
            ],
        ];
        for case in cases {
            let folder = repository();
            taken(folder.path(), &files(case), "");
            assert_eq!(
                git(folder.path(), &["ls-files", "-s", "run.sh"]).get(..6),
                Some("100755")
            );
            assert_eq!(git(folder.path(), &["ls-files", "-s", "prod"]).get(..6), Some("120000"));
        }
    }

    #[test]
    fn the_body_stays_whatever_stands_in_it() {
        let body = "From: nobody\n\n---\n--- a/x\ndiff --git a/x b/x\nIndex: x\nFrom nobody Mon Sep 17 00:00:00 2001\n\n| a | größe |\r\n";
        let wanted = " From: nobody\n\n ---\n --- a/x\n diff --git a/x b/x\n Index: x\n From nobody Mon Sep 17 00:00:00 2001\n\n| a | größe |";
        for content in ["a: 1\n", "a: 1\r\n"] {
            let folder = repository();
            taken(folder.path(), &files(&[("new.yaml", Some(content))]), body);
            assert_eq!(git(folder.path(), &["log", "-1", "--format=%b"]), wanted);
        }
    }

    #[test]
    fn it_reads_as_git_writes_it() {
        let folder = repository();
        let changed = files(&[
            ("long.yaml", Some("first\n")),
            ("gone.yaml", None),
            ("größe/ein zwei.yaml", Some("x")),
            ("a b.yaml", Some("x\n")),
        ]);
        let made = diff(&tree(folder.path()), &changed).expect("because it is text");
        for (path, content) in &changed {
            let at = folder.path().join(path);
            match content {
                Some(content) => std::fs::write(at, content).expect("because the folder is ours"),
                None => std::fs::remove_file(at).expect("because the folder is ours"),
            }
        }
        git(folder.path(), &["add", "-A"]);
        let gits = git(
            folder.path(),
            &[
                "-c",
                "diff.context=3",
                "diff",
                "--cached",
                "--full-index",
                "--no-renames",
            ],
        );
        // Git leaves out the length of one line.
        let plain = |text: &str| text.replace(",1 ", " ").replace("+1,1 ", "+1 ");
        assert_eq!(plain(String::from_utf8_lossy(&made).trim_end()), plain(&gits));
    }

    #[test]
    fn nothing_is_made_of_nothing() {
        let folder = repository();
        let same = files(&[("gone.yaml", Some("a: 1\nb: 2\n")), ("not-there.yaml", None)]);
        let tree = tree(folder.path());
        assert_eq!(patch(&tree, &same, &head(&me(), "")).expect("because it is text"), b"");
    }

    #[test]
    fn files_that_cannot_be_are_told_all_at_once() {
        let folder = repository();
        let of = [
            ("../x.yaml", Some("")),
            ("/x.yaml", Some("")),
            (".git/config", Some("")),
            ("gone.yaml/x.yaml", Some("")),
            ("größe", Some("")),
            ("base/web.yaml", Some("a")),
            ("prod/web.yaml", Some("b")),
            (&"x".repeat(256), Some("")),
        ];
        let failure = diff(&tree(folder.path()), &files(&of)).expect_err("because none can be");
        assert_eq!(failure.causes.len(), 7, "{failure}");
        assert!(
            failure
                .to_string()
                .contains("\n  because: gone.yaml/x.yaml: gone.yaml is a file, and no folder\n"),
            "{failure}"
        );
        let moved = files(&[("gone.yaml", None), ("gone.yaml/x.yaml", Some("a: 1\n"))]);
        taken(folder.path(), &moved, "");
        let binary = diff(&tree(folder.path()), &files(&[("x.png", Some("a\0"))])).expect_err("because it is binary");
        assert_eq!(
            binary.to_string(),
            "Error: no patch could be made\n  because: x.png is no text: it has NUL bytes\n  hint: make a commit instead: it takes files of any kind"
        );
    }

    #[test]
    fn words_of_a_head_are_encoded() {
        assert_eq!(phrase("Ann Lee"), "Ann Lee");
        assert_eq!(phrase("Lee, A. \"x\""), "\"Lee, A. \\\"x\\\"\"");
        assert_eq!(encoded_words("ü"), "=?UTF-8?B?w7w=?=");
        assert!(encoded_words(&"ü".repeat(100)).lines().all(|line| line.len() <= 76));
        let lines = quoted_printable("größe=1 \r\nFrom x\n".repeat(3).as_bytes());
        assert_eq!(
            String::from_utf8_lossy(&lines).lines().take(2).collect::<Vec<_>>(),
            ["gr=C3=B6=C3=9Fe=3D1 =0D", "=46rom x"]
        );
        assert!(
            quoted_printable(&[b'a'; 300])
                .split(|byte| *byte == b'\n')
                .all(|line| line.len() <= 76)
        );
    }
}
