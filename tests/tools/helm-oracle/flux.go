package main

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"sort"
	"strings"

	v2 "github.com/fluxcd/helm-controller/api/v2"
	"github.com/opencontainers/go-digest"
	goyaml "go.yaml.in/yaml/v2"
	"helm.sh/helm/v4/pkg/chart/common"
	chart "helm.sh/helm/v4/pkg/chart/v2"
	helmrelease "helm.sh/helm/v4/pkg/release/v1"
	"helm.sh/helm/v4/pkg/strvals"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"
)

// What an entry of valuesFrom gives.
type source struct {
	Path    string `json:"path"`
	Literal bool   `json:"literal"`
	Content string `json:"content"`
}

// As fluxcd/pkg chartutil.ChartValuesFromReferences, without looking anything up.
func compose(r request) (any, error) {
	result := common.Values{}
	for _, from := range r.From {
		if from.Path != "" {
			result = mergeMaps(result, r.Values)
			if err := replace(result, from); err != nil {
				return nil, err
			}
			continue
		}
		values, err := common.ReadValues([]byte(from.Content))
		if err != nil {
			return nil, err
		}
		result = mergeMaps(result, values)
	}
	return mergeMaps(result, r.Values), nil
}

func replace(values common.Values, from source) error {
	content := from.Content
	if from.Literal {
		escape := strings.NewReplacer(`\`, `\\`, `,`, `\,`, `[`, `\[`, `]`, `\]`, `{`, `\{`, `}`, `\}`)
		return strvals.ParseIntoString(from.Path+"="+escape.Replace(content), values)
	}
	for _, quote := range []string{"'", `"`} {
		if strings.HasPrefix(content, quote) && strings.HasSuffix(content, quote) {
			return strvals.ParseIntoString(from.Path+"="+strings.Trim(content, `'"`), values)
		}
	}
	return strvals.ParseInto(from.Path+"="+content, values)
}

func mergeMaps(a, b map[string]any) map[string]any {
	out := make(map[string]any, len(a))
	for k, v := range a {
		out[k] = v
	}
	for k, v := range b {
		if v, ok := v.(map[string]any); ok {
			if bv, ok := out[k].(map[string]any); ok {
				out[k] = mergeMaps(bv, v)
				continue
			}
		}
		out[k] = v
	}
	return out
}

// As fluxcd/pkg chartutil.DigestValues, with the text that is digested.
func digestValues(values map[string]any) map[string]string {
	var text bytes.Buffer
	if len(values) > 0 {
		sorted := yaml.JSONObjectToYAMLObject(values)
		sortMap(sorted)
		if err := goyaml.NewEncoder(&text).Encode(sorted); err != nil {
			panic(err)
		}
	}
	return map[string]string{"digest": digest.SHA256.FromBytes(text.Bytes()).String(), "text": text.String()}
}

func sortMap(m goyaml.MapSlice) {
	sort.Slice(m, func(i, j int) bool { return m[i].Key.(string) < m[j].Key.(string) })
	for _, item := range m {
		sortValue(item.Value)
	}
}

func sortValue(value any) {
	switch value := value.(type) {
	case goyaml.MapSlice:
		sortMap(value)
	case []any:
		for _, item := range value {
			sortValue(item)
		}
	}
}

// As helm-controller's internal/release.Observation.
type observation struct {
	Name          string             `json:"name"`
	Version       int                `json:"version"`
	Info          helmrelease.Info   `json:"info"`
	ChartMetadata chart.Metadata     `json:"chartMetadata"`
	Config        map[string]any     `json:"config"`
	Manifest      string             `json:"manifest"`
	Hooks         []helmrelease.Hook `json:"hooks"`
	Namespace     string             `json:"namespace"`
	OCIDigest     string             `json:"ociDigest,omitempty"`
}

// What helm-controller notes of a release that it reads from Helm's storage, as internal/release.ObserveRelease,
// IgnoreHookTestEvents and ObservedToSnapshot make it.
func release(r request) (any, error) {
	rel, err := decode(r.Release)
	if err != nil {
		return nil, err
	}
	o := observation{
		Name: rel.Name, Version: rel.Version, Info: *rel.Info, ChartMetadata: *rel.Chart.Metadata,
		Manifest: rel.Manifest, Namespace: rel.Namespace, OCIDigest: r.OCIDigest,
	}
	if len(rel.Config) > 0 {
		o.Config = rel.Config
	}
	for _, hook := range rel.Hooks {
		if !isTest(hook) {
			o.Hooks = append(o.Hooks, *hook)
		}
	}
	if len(rel.Hooks) == 0 {
		o.Hooks = nil
	}
	var text bytes.Buffer
	if err := json.NewEncoder(&text).Encode(o); err != nil {
		return nil, err
	}
	snapshot := v2.Snapshot{
		APIVersion:    v2.CurrentSnapshotAPIVersion,
		Digest:        digest.SHA256.FromBytes(text.Bytes()).String(),
		Name:          o.Name,
		Namespace:     o.Namespace,
		Version:       o.Version,
		AppVersion:    o.ChartMetadata.AppVersion,
		ChartName:     o.ChartMetadata.Name,
		ChartVersion:  o.ChartMetadata.Version,
		ConfigDigest:  digestValues(o.Config)["digest"],
		FirstDeployed: metav1.NewTime(o.Info.FirstDeployed),
		LastDeployed:  metav1.NewTime(o.Info.LastDeployed),
		Deleted:       metav1.NewTime(o.Info.Deleted),
		Status:        o.Info.Status.String(),
		Action:        v2.ReleaseActionInstall,
		OCIDigest:     o.OCIDigest,
	}
	return map[string]any{"snapshot": snapshot, "observed": text.String()}, nil
}

// What helm-controller notes of post-renderers and common metadata, as internal/reconcile.summarize does.
func observed(r request) (any, error) {
	sum := func(value any) (string, error) {
		var text bytes.Buffer
		err := json.NewEncoder(&text).Encode(value)
		return digest.SHA256.FromBytes(text.Bytes()).String(), err
	}
	noted := map[string]string{}
	var err error
	if r.Spec.PostRenderers != nil {
		noted["observedPostRenderersDigest"], err = sum(r.Spec.PostRenderers)
	}
	if r.Spec.CommonMetadata != nil && err == nil {
		noted["observedCommonMetadataDigest"], err = sum(r.Spec.CommonMetadata)
	}
	return noted, err
}

func isTest(hook *helmrelease.Hook) bool {
	for _, event := range hook.Events {
		if event == helmrelease.HookTest {
			return true
		}
	}
	return false
}

// As Helm's storage driver decodes what a Secret holds. Fields that Helm does not know are refused, which Helm itself does not.
func decode(text string) (*helmrelease.Release, error) {
	packed, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil, err
	}
	reader, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, err
	}
	plain, err := io.ReadAll(reader)
	if err != nil {
		return nil, err
	}
	decoder := json.NewDecoder(bytes.NewReader(plain))
	decoder.DisallowUnknownFields()
	var rel helmrelease.Release
	if err := decoder.Decode(&rel); err != nil {
		return nil, fmt.Errorf("no release: %w", err)
	}
	return &rel, nil
}
