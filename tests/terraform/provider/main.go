// The stand-in for a provider: it has the schema of the real one (schemas.json beside the executable) and no cloud behind
// it, so that Terraform itself checks the modules: every argument, block, reference and type, and what comes out. It plans
// and applies as a provider does: what only the cloud would know is unknown in a plan and made up in an apply.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"sort"

	"github.com/hashicorp/terraform-plugin-go/tfprotov5"
	"github.com/hashicorp/terraform-plugin-go/tfprotov5/tf5server"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
)

type attribute struct {
	Type                         json.RawMessage
	Required, Optional, Computed bool
}

type nested struct {
	Nesting  string
	Min, Max int64
	Block    block
}

type block struct {
	Attributes map[string]attribute
	Blocks     map[string]nested
}

type schemas struct {
	Version        string
	Provider       block
	Resource, Data map[string]block
}

type provider struct {
	tfprotov5.ProviderServer // what Terraform does not call for resources and data sources stays unanswered
	schemas
}

func parseType(raw json.RawMessage) (tftypes.Type, error) {
	var name string
	if json.Unmarshal(raw, &name) == nil {
		switch name {
		case "string":
			return tftypes.String, nil
		case "number":
			return tftypes.Number, nil
		case "bool":
			return tftypes.Bool, nil
		case "dynamic":
			return tftypes.DynamicPseudoType, nil
		}
		return nil, fmt.Errorf("type %s", raw)
	}
	var pair []json.RawMessage
	if err := json.Unmarshal(raw, &pair); err != nil || len(pair) != 2 {
		return nil, fmt.Errorf("type %s", raw)
	}
	if string(pair[0]) == `"object"` {
		var members map[string]json.RawMessage
		if err := json.Unmarshal(pair[1], &members); err != nil {
			return nil, err
		}
		object := tftypes.Object{AttributeTypes: map[string]tftypes.Type{}}
		for name, member := range members {
			t, err := parseType(member)
			if err != nil {
				return nil, err
			}
			object.AttributeTypes[name] = t
		}
		return object, nil
	}
	element, err := parseType(pair[1])
	if err != nil {
		return nil, err
	}
	switch string(pair[0]) {
	case `"list"`:
		return tftypes.List{ElementType: element}, nil
	case `"set"`:
		return tftypes.Set{ElementType: element}, nil
	case `"map"`:
		return tftypes.Map{ElementType: element}, nil
	}
	return nil, fmt.Errorf("type %s", raw)
}

func (b block) schema() (*tfprotov5.SchemaBlock, error) {
	out := &tfprotov5.SchemaBlock{}
	for _, name := range sorted(b.Attributes) {
		a := b.Attributes[name]
		t, err := parseType(a.Type)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		out.Attributes = append(out.Attributes, &tfprotov5.SchemaAttribute{Name: name, Type: t, Required: a.Required,
			Optional: a.Optional, Computed: a.Computed})
	}
	modes := map[string]tfprotov5.SchemaNestedBlockNestingMode{"list": tfprotov5.SchemaNestedBlockNestingModeList,
		"set": tfprotov5.SchemaNestedBlockNestingModeSet, "single": tfprotov5.SchemaNestedBlockNestingModeSingle}
	for _, name := range sorted(b.Blocks) {
		n := b.Blocks[name]
		inner, err := n.Block.schema()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		one := &tfprotov5.SchemaNestedBlock{TypeName: name, Block: inner, Nesting: modes[n.Nesting]}
		if n.Nesting != "single" {
			one.MinItems, one.MaxItems = n.Min, n.Max
		}
		out.BlockTypes = append(out.BlockTypes, one)
	}
	return out, nil
}

func sorted[V any](m map[string]V) []string {
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}

func (p *provider) GetProviderSchema(context.Context, *tfprotov5.GetProviderSchemaRequest) (*tfprotov5.GetProviderSchemaResponse, error) {
	out := &tfprotov5.GetProviderSchemaResponse{ResourceSchemas: map[string]*tfprotov5.Schema{},
		DataSourceSchemas: map[string]*tfprotov5.Schema{}}
	b, err := p.Provider.schema()
	if err != nil {
		return nil, err
	}
	out.Provider = &tfprotov5.Schema{Block: b}
	for name, one := range p.Resource {
		if b, err = one.schema(); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		out.ResourceSchemas[name] = &tfprotov5.Schema{Block: b}
	}
	for name, one := range p.Data {
		if b, err = one.schema(); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		out.DataSourceSchemas[name] = &tfprotov5.Schema{Block: b}
	}
	return out, nil
}

func (p *provider) PrepareProviderConfig(_ context.Context, r *tfprotov5.PrepareProviderConfigRequest) (*tfprotov5.PrepareProviderConfigResponse, error) {
	return &tfprotov5.PrepareProviderConfigResponse{PreparedConfig: r.Config}, nil
}

func (p *provider) ConfigureProvider(context.Context, *tfprotov5.ConfigureProviderRequest) (*tfprotov5.ConfigureProviderResponse, error) {
	return &tfprotov5.ConfigureProviderResponse{}, nil
}

func (p *provider) StopProvider(context.Context, *tfprotov5.StopProviderRequest) (*tfprotov5.StopProviderResponse, error) {
	return &tfprotov5.StopProviderResponse{}, nil
}

func (p *provider) ValidateResourceTypeConfig(context.Context, *tfprotov5.ValidateResourceTypeConfigRequest) (*tfprotov5.ValidateResourceTypeConfigResponse, error) {
	return &tfprotov5.ValidateResourceTypeConfigResponse{}, nil
}

func (p *provider) ValidateDataSourceConfig(context.Context, *tfprotov5.ValidateDataSourceConfigRequest) (*tfprotov5.ValidateDataSourceConfigResponse, error) {
	return &tfprotov5.ValidateDataSourceConfigResponse{}, nil
}

func (p *provider) UpgradeResourceState(_ context.Context, r *tfprotov5.UpgradeResourceStateRequest) (*tfprotov5.UpgradeResourceStateResponse, error) {
	t, err := p.Resource[r.TypeName].valueType()
	if err != nil {
		return nil, err
	}
	value, err := r.RawState.Unmarshal(t)
	if err != nil {
		return nil, err
	}
	state, err := tfprotov5.NewDynamicValue(t, value)
	return &tfprotov5.UpgradeResourceStateResponse{UpgradedState: &state}, err
}

func (p *provider) ReadResource(_ context.Context, r *tfprotov5.ReadResourceRequest) (*tfprotov5.ReadResourceResponse, error) {
	return &tfprotov5.ReadResourceResponse{NewState: r.CurrentState, Private: r.Private}, nil
}

func (p *provider) PlanResourceChange(_ context.Context, r *tfprotov5.PlanResourceChangeRequest) (*tfprotov5.PlanResourceChangeResponse, error) {
	state, err := p.Resource[r.TypeName].change(r.ProposedNewState, func(_ string, _ attribute, v tftypes.Value) tftypes.Value {
		if v.IsNull() {
			return tftypes.NewValue(v.Type(), tftypes.UnknownValue)
		}
		return v
	}, r.TypeName)
	return &tfprotov5.PlanResourceChangeResponse{PlannedState: state}, err
}

func (p *provider) ApplyResourceChange(_ context.Context, r *tfprotov5.ApplyResourceChangeRequest) (*tfprotov5.ApplyResourceChangeResponse, error) {
	state, err := p.Resource[r.TypeName].change(r.PlannedState, invent, r.TypeName)
	return &tfprotov5.ApplyResourceChangeResponse{NewState: state}, err
}

func (p *provider) ReadDataSource(_ context.Context, r *tfprotov5.ReadDataSourceRequest) (*tfprotov5.ReadDataSourceResponse, error) {
	state, err := p.Data[r.TypeName].change(r.Config, func(path string, a attribute, v tftypes.Value) tftypes.Value {
		if v.IsNull() {
			v = tftypes.NewValue(v.Type(), tftypes.UnknownValue)
		}
		return invent(path, a, v)
	}, r.TypeName)
	return &tfprotov5.ReadDataSourceResponse{State: state}, err
}

var guids = regexp.MustCompile(`(principal_id|client_id|tenant_id|workspace_id|subscription_id|object_id)$`)

// What the cloud would have answered. Collections stay empty: nobody may count on what is in them.
func invent(path string, _ attribute, v tftypes.Value) tftypes.Value {
	if v.IsKnown() {
		return v
	}
	switch {
	case v.Type().Is(tftypes.String) && guids.MatchString(path):
		return tftypes.NewValue(tftypes.String, "00000000-0000-4000-8000-000000000000")
	case v.Type().Is(tftypes.String):
		return tftypes.NewValue(tftypes.String, "invented-"+path)
	case v.Type().Is(tftypes.Number):
		return tftypes.NewValue(tftypes.Number, 1)
	case v.Type().Is(tftypes.Bool):
		return tftypes.NewValue(tftypes.Bool, false)
	case v.Type().Is(tftypes.List{}), v.Type().Is(tftypes.Set{}):
		return tftypes.NewValue(v.Type(), []tftypes.Value{})
	case v.Type().Is(tftypes.Map{}):
		return tftypes.NewValue(v.Type(), map[string]tftypes.Value{})
	}
	return tftypes.NewValue(v.Type(), nil)
}

func (b block) valueType() (tftypes.Type, error) {
	s, err := b.schema()
	if err != nil {
		return nil, err
	}
	return s.ValueType(), nil
}

type visit func(path string, a attribute, v tftypes.Value) tftypes.Value

// Calls `each` for every computed attribute of the value and puts its answer there.
func (b block) change(in *tfprotov5.DynamicValue, each visit, path string) (*tfprotov5.DynamicValue, error) {
	t, err := b.valueType()
	if err != nil {
		return nil, err
	}
	value, err := in.Unmarshal(t)
	if err != nil {
		return nil, err
	}
	if value, err = b.walk(value, each, path); err != nil {
		return nil, err
	}
	out, err := tfprotov5.NewDynamicValue(t, value)
	return &out, err
}

func (b block) walk(value tftypes.Value, each visit, path string) (tftypes.Value, error) {
	if value.IsNull() || !value.IsKnown() {
		return value, nil
	}
	members := map[string]tftypes.Value{}
	if err := value.As(&members); err != nil {
		return value, err
	}
	for name, a := range b.Attributes {
		if a.Computed {
			members[name] = each(path+"."+name, a, members[name])
		}
	}
	for name, n := range b.Blocks {
		member := members[name]
		if member.IsNull() || !member.IsKnown() {
			continue
		}
		if n.Nesting == "single" {
			changed, err := n.Block.walk(member, each, path+"."+name)
			if err != nil {
				return value, err
			}
			members[name] = changed
			continue
		}
		elements := []tftypes.Value{}
		if err := member.As(&elements); err != nil {
			return value, err
		}
		for i := range elements {
			changed, err := n.Block.walk(elements[i], each, path+"."+name)
			if err != nil {
				return value, err
			}
			elements[i] = changed
		}
		members[name] = tftypes.NewValue(member.Type(), elements)
	}
	return tftypes.NewValue(value.Type(), members), nil
}

func run() error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	name := regexp.MustCompile(`terraform-provider-([a-z]+)`).FindStringSubmatch(filepath.Base(self))
	if name == nil {
		return fmt.Errorf("%s is not called terraform-provider-NAME", self)
	}
	raw, err := os.ReadFile(filepath.Join(filepath.Dir(self), "schemas.json"))
	if err != nil {
		return err
	}
	all := map[string]schemas{}
	if err := json.Unmarshal(raw, &all); err != nil {
		return err
	}
	return tf5server.Serve("registry.terraform.io/hashicorp/"+name[1], func() tfprotov5.ProviderServer {
		return &provider{schemas: all[name[1]]}
	})
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
