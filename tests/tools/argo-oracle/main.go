// Command argo-oracle answers, a line of JSON each, what the libraries that Argo CD v3 renders ApplicationSets with make of an input:
// text/template with sprig, fasttemplate, and the three kinds of globs. It reads no file and no environment.
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path"
	"regexp"
	"strings"
	"text/template"

	"dario.cat/mergo"
	"github.com/Masterminds/sprig/v3"
	"github.com/bmatcuk/doublestar/v4"
	"github.com/gobwas/glob"
	"github.com/gosimple/slug"
	"github.com/jeremywohl/flatten"
	"github.com/valyala/fasttemplate"
	"sigs.k8s.io/yaml"
)

type request struct {
	Mode    string          `json:"mode"`
	Text    string          `json:"text"`
	Options []string        `json:"options"`
	Data    json.RawMessage `json:"data"`
	Other   json.RawMessage `json:"other"`
}

// typed turns {"$texts": {…}} into map[string]string, {"$list": […]} into []string and {"$int": n} into int, which is what generators of
// Argo CD hand to templates beside what JSON has.
func typed(value any) any {
	switch value := value.(type) {
	case map[string]any:
		if len(value) == 1 {
			if texts, ok := value["$texts"].(map[string]any); ok {
				out := map[string]string{}
				for k, v := range texts {
					out[k] = v.(string)
				}
				return out
			}
			if list, ok := value["$list"].([]any); ok {
				out := []string{}
				for _, v := range list {
					out = append(out, v.(string))
				}
				return out
			}
			if n, ok := value["$int"].(float64); ok {
				return int(n)
			}
		}
		for k, v := range value {
			value[k] = typed(v)
		}
	case []any:
		for i, v := range value {
			value[i] = typed(v)
		}
	}
	return value
}

func functions() template.FuncMap {
	functions := template.FuncMap(sprig.GenericFuncMap())
	for _, name := range []string{"env", "expandenv", "getHostByName"} {
		delete(functions, name)
	}
	invalid := regexp.MustCompile("[^-a-z0-9.]")
	normalize := func(name string) string {
		name = invalid.ReplaceAllString(strings.ToLower(name), "-")
		if len(name) > 253 {
			name = name[:253]
		}
		return strings.Trim(name, "-.")
	}
	functions["normalize"] = normalize
	functions["slugify"] = func(args ...any) string {
		size, smart, name := 50, true, ""
		for at, arg := range args {
			switch at {
			case len(args) - 1:
				name = arg.(string)
			case 0:
				size = arg.(int)
			case 1:
				smart = arg.(bool)
			}
		}
		slug.EnableSmartTruncate = smart
		slug.MaxLength = size
		return slug.Make(normalize(name))
	}
	functions["toYaml"] = func(v any) (string, error) {
		data, err := yaml.Marshal(v)
		return strings.TrimSuffix(string(data), "\n"), err
	}
	functions["fromYaml"] = func(text string) (map[string]any, error) {
		m := map[string]any{}
		err := yaml.Unmarshal([]byte(text), &m)
		return m, err
	}
	functions["fromYamlArray"] = func(text string) ([]any, error) {
		a := []any{}
		err := yaml.Unmarshal([]byte(text), &a)
		return a, err
	}
	return functions
}

var base = template.New("base").Funcs(functions())

// limited stops a template that writes without end.
type limited struct{ bytes.Buffer }

func (l *limited) Write(p []byte) (int, error) {
	if l.Len()+len(p) > 1<<20 {
		return 0, fmt.Errorf("more than 1 MiB")
	}
	return l.Buffer.Write(p)
}

func render(in request) (answer string, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic: %v", r)
		}
	}()
	var data map[string]any
	if err := json.Unmarshal(in.Data, &data); err != nil {
		return "", err
	}
	t, err := base.Clone()
	if err != nil {
		return "", err
	}
	for _, option := range in.Options {
		t = t.Option(option)
	}
	if t, err = t.Parse(in.Text); err != nil {
		return "", err
	}
	var out limited
	err = t.Execute(&out, typed(data).(map[string]any))
	return out.String(), err
}

func replace(in request) (string, error) {
	var data map[string]any
	if err := json.Unmarshal(in.Data, &data); err != nil {
		return "", err
	}
	if !regexp.MustCompile(".*{{.*}}.*").MatchString(in.Text) {
		return in.Text, nil
	}
	t, err := fasttemplate.NewTemplate(in.Text, "{{", "}}")
	if err != nil {
		return "", err
	}
	return t.ExecuteFuncString(func(w io.Writer, tag string) (int, error) {
		trimmed := strings.TrimSpace(tag)
		replacement, ok := data[trimmed].(string)
		if trimmed == "" || !ok {
			return fmt.Fprintf(w, "{{%s}}", tag)
		}
		return w.Write([]byte(replacement))
	}), nil
}

func truth(matched bool, err error) (string, error) {
	return fmt.Sprint(matched), err
}

func answer(in request) (string, error) {
	var name string
	switch in.Mode {
	case "template":
		return render(in)
	case "fasttemplate":
		return replace(in)
	case "flatten":
		var data map[string]any
		if err := json.Unmarshal(in.Data, &data); err != nil {
			return "", err
		}
		flat, err := flatten.Flatten(data, "", flatten.DotStyle)
		if err != nil {
			return "", err
		}
		for key, value := range flat {
			flat[key] = fmt.Sprintf("%v", value)
		}
		out, err := json.Marshal(flat)
		return string(out), err
	case "merge":
		var first, second map[string]any
		if err := json.Unmarshal(in.Data, &first); err != nil {
			return "", err
		}
		if err := json.Unmarshal(in.Other, &second); err != nil {
			return "", err
		}
		if err := mergo.Merge(&first, second, mergo.WithOverride); err != nil {
			return "", err
		}
		out, err := json.Marshal(first)
		return string(out), err
	}
	if err := json.Unmarshal(in.Data, &name); err != nil {
		return "", err
	}
	switch in.Mode {
	case "glob", "glob/":
		var separators []rune
		if in.Mode == "glob/" {
			separators = []rune{'/'}
		}
		g, err := glob.Compile(in.Text, separators...)
		if err != nil {
			return "", err
		}
		return truth(g.Match(name), nil)
	case "path":
		return truth(path.Match(in.Text, name))
	case "doublestar":
		return truth(doublestar.Match(in.Text, name))
	}
	return "", fmt.Errorf("no mode %q", in.Mode)
}

func main() {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 64<<20)
	out := json.NewEncoder(os.Stdout)
	for lines.Scan() {
		var in request
		reply := map[string]string{}
		if err := json.Unmarshal(lines.Bytes(), &in); err != nil {
			reply["error"] = err.Error()
		} else if text, err := answer(in); err != nil {
			reply["error"] = err.Error()
		} else {
			reply["text"] = text
		}
		if err := out.Encode(reply); err != nil {
			os.Exit(1)
		}
	}
}
