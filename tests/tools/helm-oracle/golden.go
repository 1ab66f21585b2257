package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand"
	"os"
	"strings"

	"github.com/Masterminds/semver/v3"
	"helm.sh/helm/v4/pkg/strvals"
)

// Writes made-up questions with their answers, a row a line: `helm-oracle golden KIND SEED COUNT`. The same seed gives the same rows.
func golden(kind string, seed int64, count int) {
	g := generator{rand.New(rand.NewSource(seed))}
	out := json.NewEncoder(os.Stdout)
	out.SetEscapeHTML(false)
	rows := map[string]func() any{"ranges": g.ranges, "sets": g.sets, "composed": g.composed, "texts": g.texts}
	for range count {
		out.Encode(rows[kind]())
	}
}

type generator struct{ *rand.Rand }

func (g generator) one(choices ...string) string { return choices[g.Intn(len(choices))] }

// A range, versions, and a letter for each: a(llowed), r(efused), n(one); `e` alone where it is no range.
func (g generator) ranges() any {
	text := g.group()
	for g.Intn(4) == 0 {
		text += g.one("||", " || ", " ||", "|| ") + g.group()
	}
	if g.Intn(12) == 0 {
		text = g.mangle(text)
	}
	versions := make([]string, 12)
	for i := range versions {
		versions[i] = g.version(false)
	}
	c, err := semver.NewConstraint(text)
	if err != nil {
		return []any{text, versions, "e"}
	}
	letters := ""
	for _, version := range versions {
		v, err := semver.NewVersion(version)
		switch {
		case err != nil:
			letters += "n"
		case c.Check(v):
			letters += "a"
		default:
			letters += "r"
		}
	}
	return []any{text, versions, letters}
}

func (g generator) group() string {
	if g.Intn(10) == 0 {
		return g.version(true) + g.one(" - ", "  -  ", " -") + g.version(true)
	}
	text := g.bound()
	for g.Intn(3) == 0 {
		text += g.one(" ", ", ", ",", "  ", " ", ", ", "") + g.bound()
	}
	return g.one("", "", "", " ") + text + g.one("", "", "", " ")
}

func (g generator) bound() string {
	return g.one("", "", "=", "!=", ">", "<", ">=", "=>", "<=", "=<", "~", "~>", "^", "^", "~") + g.one("", "", " ", "  ") + g.version(true)
}

func (g generator) version(open bool) string {
	number := func() string {
		if open && g.Intn(7) == 0 {
			return g.one("x", "X", "*", "x", "*", "x", "*", "x", "xx", "1x")
		}
		if g.Intn(40) == 0 {
			return g.one("01", "18446744073709551616", "007")
		}
		return g.one("0", "0", "0", "1", "1", "1", "2", "2", "3", "10")
	}
	text := g.one("", "", "", "", "", "", "", "", "v", "v") + number()
	if g.Intn(60) == 0 {
		text = g.one("V", "1.2.3.", "vv") + text
	}
	for range 2 {
		if g.Intn(5) > 0 {
			text += "." + number()
		} else if g.Intn(2) == 0 {
			break
		}
	}
	if g.Intn(4) == 0 {
		text += "-" + g.one("0", "alpha", "alpha.1", "beta", "rc.1", "rc.2", "rc.10", "1", "2.a", "a-b", "alpha", "beta", "99999999999999999999")
	}
	if g.Intn(8) == 0 {
		text += "+" + g.one("1", "build", "a.b", "01")
	}
	if g.Intn(60) == 0 {
		text += g.one("-01", "-", "-a..b", "+", "+a..b")
	}
	return text
}

func (g generator) mangle(text string) string {
	at := g.Intn(len(text) + 1)
	return text[:at] + g.one("a", " ", "||", ",", ".", "é", "-", "\t", "\v", "$", "<", "=", ">") + text[at:]
}

// A line of --set, whether it is of --set-string, the values it is laid over, and the result; `null` where it is refused.
func (g generator) sets() any {
	text := g.Intn(3) == 0
	values := g.values(2)
	line := g.assignment()
	for g.Intn(2) == 0 {
		line += g.one(",", ",", ",", ", ", "") + g.assignment()
	}
	if g.Intn(5) == 0 {
		line = g.mangleSet(line)
	}
	before := clone(values)
	parse := strvals.ParseInto
	if text {
		parse = strvals.ParseIntoString
	}
	if err := parse(line, values); err != nil {
		return []any{line, text, before, nil}
	}
	return []any{line, text, before, values}
}

func clone(values map[string]any) (copied map[string]any) {
	text, _ := json.Marshal(values)
	json.Unmarshal(text, &copied)
	return copied
}

func (g generator) path() string {
	text := g.key()
	for g.Intn(5) < 2 {
		text += g.one("."+g.key(), "."+g.key(), fmt.Sprintf("[%d]", g.Intn(4)))
	}
	return text
}

func (g generator) key() string {
	return g.one("a", "b", "c", "a", "b", "d", `x\.y`, "long-name", "", "é")
}

func (g generator) assignment() string { return g.path() + "=" + g.content() }

func (g generator) content() string {
	if g.Intn(5) == 0 {
		items := make([]string, g.Intn(4))
		for i := range items {
			items[i] = g.scalar()
		}
		return "{" + strings.Join(items, ",") + "}"
	}
	return g.scalar()
}

func (g generator) scalar() string {
	return g.one("1", "0", "01", "-5", "+5", "-0", "1.5", "1e3", "true", "TRUE", "False", "null", "Null", "", "text", "a b", `a\,b`,
		"9223372036854775807", "9223372036854775808", "x=y", "{", "}", `\\`, "'q'", `"q"`, "[1]", "ü", "0x1f", "1_000")
}

func (g generator) mangleSet(text string) string {
	at := g.Intn(len(text) + 1)
	if g.Intn(3) == 0 {
		return text[:at]
	}
	return text[:at] + g.one("=", ",", ".", "[", "]", "{", "}", `\`, "[0]", "[-1]", "[70000]", "[x]") + text[at:]
}

// Values as they come out of JSON.
func (g generator) values(depth int) map[string]any {
	values := map[string]any{}
	for range g.Intn(4) {
		values[g.one("a", "b", "c", "d", "x.y", "e")] = g.value(depth)
	}
	return values
}

func (g generator) value(depth int) any {
	switch pick := g.Intn(9); {
	case pick < 3 && depth > 0:
		return g.values(depth - 1)
	case pick < 5 && depth > 0:
		list := make([]any, g.Intn(4))
		for i := range list {
			list[i] = g.value(depth - 1)
		}
		return list
	case pick == 5:
		return nil
	case pick == 6:
		return g.Intn(2) == 0
	case pick == 7:
		return float64(g.Intn(100))
	}
	return g.one("", "text", "true", "a,b")
}

// Values of a HelmRelease, what its valuesFrom give, and what comes of it; `null` where it is refused.
func (g generator) composed() any {
	r := request{Values: g.values(2)}
	for range 1 + g.Intn(3) {
		from := source{}
		if g.Intn(2) == 0 {
			// No path at all means values, which a content of this sort is not.
			for from.Path == "" {
				from.Path = g.path()
			}
			from.Content, from.Literal = g.content(), g.Intn(4) == 0
		} else {
			text, _ := json.Marshal(g.values(2))
			from.Content = string(text)
		}
		r.From = append(r.From, from)
	}
	before := clone(r.Values)
	result, err := func() (result any, err error) {
		defer func() {
			if r := recover(); r != nil {
				err = fmt.Errorf("%v", r)
			}
		}()
		return compose(r)
	}()
	if err != nil {
		return []any{before, r.From, nil}
	}
	return []any{before, r.From, result}
}

// Values, and the text of them that Flux takes its checksum of.
func (g generator) texts() any {
	values := map[string]any{}
	for range 1 + g.Intn(4) {
		values[g.word()] = g.odd(3)
	}
	return []any{values, digestValues(values)["text"]}
}

func (g generator) odd(depth int) any {
	switch pick := g.Intn(10); {
	case pick < 2 && depth > 0:
		values := map[string]any{}
		for range g.Intn(4) {
			values[g.word()] = g.odd(depth - 1)
		}
		return values
	case pick < 4 && depth > 0:
		list := make([]any, g.Intn(4))
		for i := range list {
			list[i] = g.odd(depth - 1)
		}
		return list
	case pick == 4:
		return [...]any{nil, true, false}[g.Intn(3)]
	case pick == 5:
		return [...]float64{0, 1, -1, 0.5, 1e6, 1234567.5, 1e20, 1e21, -1e19, 9007199254740993, 9223372036854775807, 1.8e19, 1e-7, 0.00001, 3.14}[g.Intn(15)]
	}
	return g.word()
}

func (g generator) word() string {
	var text bytes.Buffer
	switch g.Intn(4) {
	case 0:
		return g.one("", "yes", "on", "null", "~", "1", "0644", "0x1f", "1e3", "1_000", "12:30:45", "190:20:30.15", "2026-01-31", "2026-1-1 10:20:30",
			"2026-01-31T10:20:30Z", "2026-13-01", ".5", ".", "-", "- a", "?", ":", "a: b", "a:", "a #b", "#a", "<<", "=", "---", "--- a", "...", "'", `"`, "%", "@a", "`a",
			"a\nb", "a\nb\n", "a\n\n", "\n", "\na", " a\nb", "a \nb", "a\n b\n", "a\tb", "\ta", " a", "a ", "\u00a0", "\u0085", "a\u2028b", "\ufeff", "\ufeffa", "😀", "é", "\r\n",
			"{{ a }}", "[a]", "*a", "&a", "!a", "|", ">", "key", "a\x00b", "a\x1bb", "+1", "-1", "0b11", "0o17", "1.", "+.inf", "y", "N", "off")
	case 1:
		// Long enough to be folded.
		for range 3 + g.Intn(40) {
			text.WriteString(g.one("word", "a", "longer-word", "it's", "x:", "#", "é", `"`, "-", ""))
			text.WriteString(g.one(" ", " ", " ", "  "))
		}
		return strings.TrimSpace(text.String())
	case 2:
		for range 1 + g.Intn(12) {
			text.WriteString(g.one("a", "b", " ", " ", ":", "#", "\n", "-", "'", `"`, "\t", "1", ".", "é", "\\", ",", "}", "\u2029", "\r"))
		}
		return text.String()
	}
	return g.one("name", "image", "replicas", "value", "host.example.com", "/path/to", "a-b_c", strings.Repeat("k", 130), strings.Repeat("long ", 30))
}
