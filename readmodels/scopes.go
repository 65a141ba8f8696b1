package readmodels

// The projections in force. A version grows when the rules of a projection, or its rows, change.
var (
	Directory   = Scope{Projection: "directory", Version: 1}
	Roles       = Scope{Projection: "roles", Version: 1}
	Assignments = Scope{Projection: "assignments", Version: 1}
	Progress    = Scope{Projection: "progress", Version: 2}
	Analytics   = Scope{Projection: "role-analytics", Version: 2}
)

// Scopes lists them all.
func Scopes() []Scope { return []Scope{Directory, Roles, Assignments, Progress, Analytics} }

// Catalog is the vendor's plan, whose roles and skills every plan can use.
const Catalog = "catalog"
