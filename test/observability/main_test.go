// Package observability runs the real program and looks at what it tells operators (SPEC OPS-3): that the metrics of the
// dashboard and of the alerts are there, that a command can be followed through all processes by its correlation id, and
// that neither tells of people.
package observability

import (
	"os"
	"testing"
	"time"

	"rolewise/test/harness"
)

func TestMain(m *testing.M) { os.Exit(harness.Main(m)) }

// patience bounds everything that has to come about; nothing is measured by it.
const patience = time.Minute

// What must not be told anywhere.
const (
	canaryName   = "Canary Finch"
	canaryEmail  = "canary.finch@example.org"
	canaryPlan   = "canaryplan"
	canaryMember = "01890a5d-ac96-774b-bcce-00000ca0a41e"
)

// canaryOwner is the body that creates the plan.
var canaryOwner = harness.Body{"plan": canaryPlan, "name": "Acme", "tier": "enterprise", "owner_name": canaryName, "owner_email": "owner@example.org"}
