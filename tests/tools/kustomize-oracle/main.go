// Answers what kustomize makes of folders, as long as it is asked: a request a line on standard input, an answer a line on
// standard output, both JSON.
//
// The library may panic, end the process or run without end. Each of these is answered as an error as well, and the process then
// ends, because the library's own memory cannot be trusted any more: whoever asks starts it again for the next request.
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"os"
	"runtime"
	"strings"
	"time"

	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/api/resmap"
	"sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/kustomize/kyaml/openapi"
	"sigs.k8s.io/yaml"
)

// Longest time for one build.
const patience = 20 * time.Second

type request struct {
	// Files in memory by path, as text and, for those that are none, as base64.
	Files map[string]string `json:"files"`
	Bytes map[string][]byte `json:"bytes"`
	// What to build: a folder among the files, or one on disk where there are none.
	Root string `json:"root"`
	// Files outside of a kustomization's folder may be loaded.
	Unrestricted bool `json:"unrestricted"`
	// These folders on disk are built one after the other, and only the time counts.
	Bench []string `json:"bench"`
	// The time includes writing YAML.
	Print bool `json:"print"`
}

type answer struct {
	Objects []json.RawMessage `json:"objects"`
	Error   string            `json:"error,omitempty"`
	Seconds float64           `json:"seconds,omitempty"`
	Failed  int               `json:"failed,omitempty"`
	// The process ends after this answer.
	Last bool `json:"last,omitempty"`
}

func say(a answer) {
	line, err := json.Marshal(a)
	if err != nil {
		line = []byte(fmt.Sprintf(`{"error":%q}`, err))
	}
	os.Stdout.Write(append(line, '\n'))
}

// A last writer of the log: tells a log line after which the process ends from the others.
type fatal struct{}

func (fatal) Write(line []byte) (int, error) {
	stack := make([]byte, 1<<13)
	stack = stack[:runtime.Stack(stack, false)]
	if bytes.Contains(stack, []byte("log.Fatal")) {
		say(answer{Error: "the library ends the process: " + strings.TrimSpace(string(line)), Last: true})
	}
	return len(line), nil
}

// As the command's own options are, where no flag is given.
func options(unrestricted bool) *krusty.Options {
	o := krusty.MakeDefaultOptions()
	o.Reorder = krusty.ReorderOptionUnspecified
	if unrestricted {
		o.LoadRestrictions = types.LoadRestrictionsNone
	}
	return o
}

func objects(m resmap.ResMap) ([]json.RawMessage, error) {
	all := []json.RawMessage{}
	for _, r := range m.Resources() {
		text, err := r.AsYAML()
		if err != nil {
			return nil, err
		}
		object, err := yaml.YAMLToJSON(text)
		if err != nil {
			return nil, err
		}
		all = append(all, object)
	}
	return all, nil
}

// A file system for the request, and whether its files speak of schemas, which the library keeps for ever.
func (r request) fileSystem() (filesys.FileSystem, string, bool, error) {
	if r.Files == nil && r.Bytes == nil {
		return filesys.MakeFsOnDisk(), r.Root, true, nil
	}
	// Below a folder, so that paths can lead out of the root.
	const top = "/top/"
	fs, schemas := filesys.MakeFsInMemory(), false
	if err := fs.MkdirAll(top + r.Root); err != nil {
		return nil, "", false, err
	}
	for path, text := range r.Files {
		if err := fs.WriteFile(top+path, []byte(text)); err != nil {
			return nil, "", false, err
		}
		schemas = schemas || strings.Contains(strings.ToLower(text), "openapi")
	}
	for path, content := range r.Bytes {
		if err := fs.WriteFile(top+path, content); err != nil {
			return nil, "", false, err
		}
	}
	return fs, top + r.Root, schemas, nil
}

func (r request) build() (a answer) {
	defer func() {
		if reason := recover(); reason != nil {
			a = answer{Error: fmt.Sprint("the library panics: ", reason), Last: true}
		}
	}()
	fs, root, schemas, err := r.fileSystem()
	if err != nil {
		return answer{Error: "oracle: " + err.Error()}
	}
	if schemas {
		openapi.ResetOpenAPI()
		defer openapi.ResetOpenAPI()
	}
	m, err := krusty.MakeKustomizer(options(r.Unrestricted)).Run(fs, root)
	if err != nil {
		return answer{Error: err.Error()}
	}
	all, err := objects(m)
	if err != nil {
		return answer{Error: err.Error()}
	}
	return answer{Objects: all}
}

func (r request) bench() (a answer) {
	start := time.Now()
	for _, root := range r.Bench {
		m, err := krusty.MakeKustomizer(options(r.Unrestricted)).Run(filesys.MakeFsOnDisk(), root)
		if err == nil && r.Print {
			_, err = m.AsYaml()
		}
		if err != nil {
			a.Failed++
		}
	}
	a.Seconds = time.Since(start).Seconds()
	return a
}

func main() {
	// Nothing from elsewhere: neither Git nor the network.
	os.Setenv("PATH", "")
	os.Setenv("HTTP_PROXY", "http://127.0.0.1:1")
	os.Setenv("HTTPS_PROXY", "http://127.0.0.1:1")
	log.SetOutput(fatal{})
	in := bufio.NewReaderSize(os.Stdin, 1<<20)
	for {
		line, err := in.ReadBytes('\n')
		if err == io.EOF && len(line) == 0 {
			return
		}
		r := request{}
		if err := json.Unmarshal(line, &r); err != nil {
			say(answer{Error: "oracle: " + err.Error()})
			continue
		}
		if r.Bench != nil {
			say(r.bench())
			continue
		}
		done := make(chan answer, 1)
		go func() { done <- r.build() }()
		var a answer
		select {
		case a = <-done:
		case <-time.After(patience):
			a = answer{Error: "the library does not come to an end", Last: true}
		}
		say(a)
		if a.Last {
			return
		}
	}
}
