// Writes the table again: reads rows with a "text" from standard input, asks Kubernetes' own code what
// it reads there, and prints the rows. `go run . < cases.jsonl > new.jsonl`; a row with "one": "differs"
// keeps that.
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"log"
	"os"

	"k8s.io/apimachinery/pkg/runtime"
	kjson "k8s.io/apimachinery/pkg/util/json"
	kyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"
)

type row struct {
	Text      string            `json:"text"`
	Documents []json.RawMessage `json:"documents"`
	Error     bool              `json:"error,omitempty"`
	One       json.RawMessage   `json:"one,omitempty"`
}

// asJSON gives numbers the types that the API machinery gives them.
func asJSON(raw []byte) (json.RawMessage, error) {
	var value any
	if err := kjson.Unmarshal(raw, &value); err != nil {
		return nil, err
	}
	return json.Marshal(value)
}

func (r *row) read() {
	r.Documents, r.Error = []json.RawMessage{}, false
	decoder := kyaml.NewYAMLOrJSONDecoder(bytes.NewReader([]byte(r.Text)), 4096)
	for {
		document := runtime.RawExtension{}
		err := decoder.Decode(&document)
		if errors.Is(err, io.EOF) {
			return
		}
		raw := bytes.TrimSpace(document.Raw)
		if err == nil && (len(raw) == 0 || bytes.Equal(raw, []byte("null"))) {
			continue
		}
		var value json.RawMessage
		if err == nil {
			value, err = asJSON(raw)
		}
		if err != nil {
			r.Error = true
			return
		}
		r.Documents = append(r.Documents, value)
	}
}

func (r *row) readOne() {
	if string(r.One) == `"differs"` {
		return
	}
	r.One = nil
	raw, err := yaml.YAMLToJSON([]byte(r.Text))
	if err == nil {
		raw, err = asJSON(raw)
	}
	failed := r.Error && len(r.Documents) == 0
	first := json.RawMessage("null")
	if len(r.Documents) > 0 {
		first = r.Documents[0]
	}
	switch {
	case err != nil && !failed:
		r.One = json.RawMessage(`"error"`)
	case err == nil && (failed || !bytes.Equal(raw, first)):
		r.One = append(append([]byte(`{"value":`), raw...), '}')
	}
}

func main() {
	in := bufio.NewScanner(os.Stdin)
	in.Buffer(nil, 1<<24)
	out := json.NewEncoder(os.Stdout)
	out.SetEscapeHTML(false)
	for in.Scan() {
		r := row{}
		if err := json.Unmarshal(in.Bytes(), &r); err != nil {
			log.Fatal(err)
		}
		r.read()
		r.readOne()
		if err := out.Encode(r); err != nil {
			log.Fatal(err)
		}
	}
}
