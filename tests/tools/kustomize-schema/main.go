// Command kustomize-schema prints what strategic merges and scopes need of the OpenAPI document that kyaml embeds.
//
// The output is crates/kustomize/src/schema/builtin.txt; its form is described in crates/kustomize/src/schema/builtin.rs.
// Run it in this folder: go run . > ../../../crates/kustomize/src/schema/builtin.txt
package main

import (
	"bufio"
	"fmt"
	"log"
	"os"
	"sort"
	"strings"

	openapi_v2 "github.com/google/gnostic-models/openapiv2"
	"google.golang.org/protobuf/proto"
	"k8s.io/kube-openapi/pkg/validation/spec"
	"sigs.k8s.io/kustomize/kyaml/openapi"
	"sigs.k8s.io/kustomize/kyaml/openapi/kubernetesapi"
	"sigs.k8s.io/kustomize/kyaml/yaml"
)

const gvkKey = "x-kubernetes-group-version-kind"

// nodes numbers the distinct schemas: definitions first, in order of their names, then those written in place.
type nodes struct {
	lines   []string
	byName  map[string]int
	byText  map[string]int
	schemas map[string]spec.Schema
}

func main() {
	definitions := openapi.Schema().Definitions
	names := make([]string, 0, len(definitions))
	for name := range definitions {
		names = append(names, name)
	}
	sort.Strings(names)
	all := &nodes{byName: map[string]int{}, byText: map[string]int{}, schemas: definitions, lines: make([]string, len(names))}
	for at, name := range names {
		all.byName[name] = at
	}
	for at, name := range names {
		schema := definitions[name]
		if schema.Ref.String() != "" {
			log.Fatalf("definition %s is a reference", name)
		}
		all.lines[at] = all.text(schema)
	}

	out := bufio.NewWriter(os.Stdout)
	for at, line := range all.lines {
		if at < len(names) {
			line += "|" + names[at]
		}
		fmt.Fprintln(out, line)
	}
	fmt.Fprintln(out, "-")
	kinds(out, names, definitions)
	if err := out.Flush(); err != nil {
		log.Fatal(err)
	}
}

// id is the number of a schema, its reference followed.
func (n *nodes) id(schema spec.Schema) int {
	if ref := schema.Ref.String(); ref != "" {
		at, found := n.byName[strings.TrimPrefix(ref, "#/definitions/")]
		if !found {
			log.Fatalf("reference %s leads nowhere", ref)
		}
		return at
	}
	text := n.text(schema)
	at, found := n.byText[text]
	if !found {
		at = len(n.lines)
		n.byText[text] = at
		n.lines = append(n.lines, text)
	}
	return at
}

// text is strategy;keys|items|additional|field=id,…
func (n *nodes) text(schema spec.Schema) string {
	resource := openapi.ResourceSchema{Schema: &schema}
	strategy, keys := resource.PatchStrategyAndKeyList()
	merge := ""
	if strategy != "" {
		merge = strings.ReplaceAll(strategy, ",", "+") + ";" + strings.Join(keys, ",")
	}
	items, additional := "", ""
	if len(schema.Type) == 1 && schema.Type[0] == "array" && schema.Items != nil {
		items = fmt.Sprint(n.id(*schema.Items.Schema))
	}
	if schema.AdditionalProperties != nil && schema.AdditionalProperties.Schema != nil {
		additional = fmt.Sprint(n.id(*schema.AdditionalProperties.Schema))
	}
	fields := make([]string, 0, len(schema.Properties))
	for name := range schema.Properties {
		fields = append(fields, name)
	}
	sort.Strings(fields)
	for at, name := range fields {
		fields[at] = fmt.Sprintf("%s=%d", name, n.id(schema.Properties[name]))
	}
	return strings.Join([]string{merge, items, additional, strings.Join(fields, ",")}, "|")
}

// kinds prints `apiVersion kind definition scope`: `-` for no definition, and n, c or - for namespaced, cluster or unknown.
func kinds(out *bufio.Writer, names []string, definitions spec.Definitions) {
	found := map[yaml.TypeMeta]string{}
	for at, name := range names {
		extension, _ := definitions[name].Extensions[gvkKey].([]interface{})
		for _, gvk := range extension {
			meta := typeMeta(gvk)
			if was, twice := found[meta]; twice {
				log.Printf("%v is both %s and %s", meta, was, name)
			}
			found[meta] = fmt.Sprint(at)
		}
	}
	for _, meta := range pathKinds() {
		if _, known := found[meta]; !known {
			found[meta] = "-"
		}
	}
	lines := []string{}
	for meta, definition := range found {
		scope := "-"
		if namespaced, known := openapi.IsNamespaceScoped(meta); known && namespaced {
			scope = "n"
		} else if known {
			scope = "c"
		}
		lines = append(lines, fmt.Sprintf("%s %s %s %s", meta.APIVersion, meta.Kind, definition, scope))
	}
	sort.Strings(lines)
	for _, line := range lines {
		fmt.Fprintln(out, line)
	}
}

// pathKinds are the kinds of the API paths; some of them have no definition.
func pathKinds() []yaml.TypeMeta {
	version := kubernetesapi.DefaultOpenAPI
	asset := "kubernetesapi/" + strings.ReplaceAll(version, ".", "_") + "/swagger.pb"
	document := &openapi_v2.Document{}
	if err := proto.Unmarshal(kubernetesapi.OpenAPIMustAsset[version](asset), document); err != nil {
		log.Fatal(err)
	}
	var swagger spec.Swagger
	if _, err := swagger.FromGnostic(document); err != nil {
		log.Fatal(err)
	}
	var metas []yaml.TypeMeta
	for _, path := range swagger.Paths.Paths {
		if path.Get != nil && path.Get.Extensions[gvkKey] != nil {
			metas = append(metas, typeMeta(path.Get.Extensions[gvkKey]))
		}
	}
	return metas
}

func typeMeta(extension interface{}) yaml.TypeMeta {
	gvk := extension.(map[string]interface{})
	meta := yaml.TypeMeta{Kind: gvk["kind"].(string), APIVersion: gvk["version"].(string)}
	if group := gvk["group"].(string); group != "" {
		meta.APIVersion = group + "/" + meta.APIVersion
	}
	return meta
}
