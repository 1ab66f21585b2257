// Answers how Helm and Flux understand things, as long as it is asked: a request a line on standard input, an answer a line on
// standard output, both JSON; or writes made-up questions with their answers. What it answers with are the libraries themselves: Masterminds/semver, Helm's strvals, storage driver
// and release types, go-yaml, and the API types of helm-controller. helm-controller's own packages cannot be imported; the few
// lines of them that matter are restated in flux.go.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"strconv"

	"github.com/Masterminds/semver/v3"
	v2 "github.com/fluxcd/helm-controller/api/v2"
	"helm.sh/helm/v4/pkg/strvals"
)

type request struct {
	// A range, and versions to hold against it.
	Range    string   `json:"range"`
	Versions []string `json:"versions"`
	// A line of --set (of --set-string where Text), over values.
	Set    string         `json:"set"`
	Text   bool           `json:"text"`
	Values map[string]any `json:"values"`
	// A HelmRelease's values and what its valuesFrom name.
	From []source `json:"from"`
	// Data of a Secret that holds a release.
	Release string `json:"release"`
	// A HelmRelease's spec.
	Spec v2.HelmReleaseSpec `json:"spec"`
	// What to do: range, set, compose, values, release, observed.
	Ask string `json:"ask"`
	// The digest of the OCI artifact, for a release.
	OCIDigest string `json:"ociDigest"`
}

type answer struct {
	Error string `json:"error,omitempty"`
	Value any    `json:"value,omitempty"`
}

func main() {
	if len(os.Args) == 5 && os.Args[1] == "golden" {
		seed, _ := strconv.ParseInt(os.Args[3], 10, 64)
		count, _ := strconv.Atoi(os.Args[4])
		golden(os.Args[2], seed, count)
		return
	}
	in := bufio.NewReaderSize(os.Stdin, 1<<20)
	out := json.NewEncoder(os.Stdout)
	for {
		line, err := in.ReadBytes('\n')
		if err != nil {
			return
		}
		out.Encode(reply(line))
	}
}

func reply(line []byte) (a answer) {
	defer func() {
		if r := recover(); r != nil {
			a = answer{Error: fmt.Sprint(r)}
		}
	}()
	var r request
	if err := json.Unmarshal(line, &r); err != nil {
		return answer{Error: err.Error()}
	}
	var value any
	var err error
	switch r.Ask {
	case "range":
		value, err = ranged(r)
	case "set":
		value, err = set(r)
	case "compose":
		value, err = compose(r)
	case "values":
		value = digestValues(r.Values)
	case "release":
		value, err = release(r)
	case "observed":
		value, err = observed(r)
	default:
		err = fmt.Errorf("unknown question %q", r.Ask)
	}
	if err != nil {
		return answer{Error: err.Error()}
	}
	return answer{Value: value}
}

// A word a version: allowed, refused, or no version at all; and the order of those that are versions.
func ranged(r request) (any, error) {
	c, err := semver.NewConstraint(r.Range)
	if err != nil {
		return nil, err
	}
	words := make([]string, len(r.Versions))
	for i, text := range r.Versions {
		v, err := semver.NewVersion(text)
		switch {
		case err != nil:
			words[i] = "none"
		case c.Check(v):
			words[i] = "allowed"
		default:
			words[i] = "refused"
		}
	}
	return words, nil
}

func set(r request) (any, error) {
	if r.Values == nil {
		r.Values = map[string]any{}
	}
	var err error
	if r.Text {
		err = strvals.ParseIntoString(r.Set, r.Values)
	} else {
		err = strvals.ParseInto(r.Set, r.Values)
	}
	return r.Values, err
}
