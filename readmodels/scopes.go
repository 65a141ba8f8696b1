package readmodels

// The projections in force. A version grows when the rules of a projection, or its rows, change.
var (
	Directory   = Scope{Projection: "directory", Version: 2}
	Roles       = Scope{Projection: "roles", Version: 2}
	Assignments = Scope{Projection: "assignments", Version: 2}
	Progress    = Scope{Projection: "progress", Version: 4}
	Analytics   = Scope{Projection: "role-analytics", Version: 4}
)

// Scopes lists them all.
func Scopes() []Scope { return []Scope{Directory, Roles, Assignments, Progress, Analytics} }

// Catalog is the vendor's plan, whose roles and skills every plan can use.
const Catalog = "catalog"
