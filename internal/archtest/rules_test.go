package archtest

import (
	"fmt"
	"slices"
	"strings"
)

const (
	module = "rolewise"
	client = "github.com/EventStore/EventStore-Client-Go/"
)

// rule says what the packages of one folder may import of ours. "x" is the package x, "x/..." all in its folder too.
// A package's own folder needs no mention.
type rule struct {
	folder string
	may    []string
}

// rules are the import directions of the design, innermost first. Only cmd may import everything.
var rules = []rule{
	{"domain", nil},
	{"eventstore", nil},
	{"readmodels", []string{"eventstore"}},
	{"commands", []string{"domain/...", "eventstore/..."}},
	{"sample", []string{"domain/...", "eventstore/...", "commands/..."}},
	{"leases", nil},
	{"projections", []string{"domain/...", "eventstore/...", "readmodels/...", "leases"}},
	{"reactors", []string{"domain/...", "eventstore/...", "readmodels/...", "commands/...", "projections/..."}},
	{"history", []string{"domain/...", "eventstore/...", "readmodels/...", "projections/..."}},
	{"telemetry", []string{"domain/...", "eventstore/...", "readmodels/...", "leases", "projections"}},
	{"api", []string{"domain/...", "eventstore/...", "readmodels/...", "commands/...", "history/...", "telemetry"}},
	{"web", []string{"domain/...", "eventstore/...", "readmodels/...", "commands/...", "history/..."}},
}

// exempt folders hold no part of the product's layers: cmd wires them, internal helps tests, test starts the program.
var exempt = []string{"cmd", "internal", "test"}

// unreachable names what a folder must not even reach through others.
var unreachable = map[string][]string{
	"commands": {"projections", "readmodels", "history", "api", "web"}, // CQRS
}

// pkg is what `go list -json` tells of a package.
type pkg struct {
	ImportPath string
	Standard   bool
	Imports    []string
}

// violations lists the imports that the rules forbid.
func violations(packages []pkg) []string {
	known := map[string]pkg{}
	for _, p := range packages {
		known[p.ImportPath] = p
	}
	var found []string
	for _, p := range packages {
		name, ours := strings.CutPrefix(p.ImportPath, module+"/")
		if !ours {
			continue
		}
		found = append(found, clientViolations(name, p.Imports)...)
		folder := folderOf(name)
		if slices.Contains(exempt, folder) {
			continue
		}
		i := slices.IndexFunc(rules, func(r rule) bool { return r.folder == folder })
		if i < 0 {
			found = append(found, fmt.Sprintf("%s is in no folder of the design; give it a rule", name))
			continue
		}
		for _, imported := range p.Imports {
			if why := rules[i].refuses(name, imported, known[imported].Standard); why != "" {
				found = append(found, fmt.Sprintf("%s must not import %s: %s", name, imported, why))
			}
		}
		for _, banned := range unreachable[folder] {
			if path := reach(known, p, banned, map[string]bool{}); path != "" {
				found = append(found, fmt.Sprintf("%s must not reach %s, but does: %s", name, banned, path))
			}
		}
	}
	return found
}

// refuses tells why a package must not have an import, or "".
func (r rule) refuses(name, imported string, standard bool) string {
	path, ours := strings.CutPrefix(imported, module+"/")
	switch {
	case !ours && r.folder == "domain" && !standard:
		return "the domain has the standard library only"
	case !ours:
		return ""
	case name == "eventstore":
		return "the port of the event store imports nothing of ours"
	case folderOf(path) == r.folder:
		return ""
	case folderOf(path) == "internal" && r.folder != "domain":
		return ""
	}
	for _, allowed := range r.may {
		tree, whole := strings.CutSuffix(allowed, "/...")
		if path == tree || (whole && strings.HasPrefix(path, tree+"/")) {
			return ""
		}
	}
	return fmt.Sprintf("%s may import of ours %q", r.folder, r.may)
}

// clientViolations keeps the EventStore client in its wrapper. The front that tests it over the wire speaks its
// messages, and nothing else of it.
func clientViolations(name string, imports []string) []string {
	var found []string
	for _, imported := range imports {
		wrapper := name == "eventstore/kurrent" || strings.HasPrefix(name, "eventstore/kurrent/")
		front := name == "eventstore/kurrenttest" && strings.Contains(imported, "/protos/")
		if strings.HasPrefix(imported, client) && !wrapper && !front {
			found = append(found, fmt.Sprintf("%s must not import %s: only eventstore/kurrent does", name, imported))
		}
	}
	return found
}

// reach returns a way from a package to a folder of ours through imports, or "".
func reach(known map[string]pkg, from pkg, folder string, seen map[string]bool) string {
	for _, imported := range from.Imports {
		path, ours := strings.CutPrefix(imported, module+"/")
		if !ours || seen[imported] {
			continue
		}
		seen[imported] = true
		if folderOf(path) == folder {
			return path
		}
		if rest := reach(known, known[imported], folder, seen); rest != "" {
			return path + " → " + rest
		}
	}
	return ""
}

func folderOf(name string) string {
	folder, _, _ := strings.Cut(name, "/")
	return folder
}
