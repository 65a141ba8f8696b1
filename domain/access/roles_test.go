package access_test

import (
	"testing"

	"rolewise/domain"
	"rolewise/domain/access"
)

// TestOfRole has every combination that tells callers apart (SPEC ROL-9, ROL-10).
func TestOfRole(t *testing.T) {
	const creator, other domain.MemberID = "creator", "other"
	everything, write := []access.Scope{access.Everything}, []access.Scope{access.Write}
	vendor := access.Principal{Vendor: true}
	plan := access.Principal{Plan: "acme", Scopes: everything}
	writer := access.Principal{Plan: "acme", Scopes: write}
	person := func(m domain.MemberID) access.Principal {
		return access.Principal{Plan: "acme", Member: m, Scopes: everything}
	}
	tests := []struct {
		name                   string
		of                     access.OfRole
		edit, delete, transfer bool
	}{
		{"the operator", access.OfRole{Principal: vendor, Creator: creator}, true, true, true},
		{"a key for everything of no member", access.OfRole{Principal: plan, Creator: creator}, true, true, true},
		{"a key for writing of no member", access.OfRole{Principal: writer, Creator: creator}, false, false, false},
		{"a key for writing of no member, nobody's role", access.OfRole{Principal: writer}, true, true, false},
		{"the creator", access.OfRole{Principal: person(creator), Creator: creator}, true, true, false},
		{"the creator under admins", access.OfRole{Principal: person(creator), Creator: creator, AdminsEdit: true}, true, true, false},
		{"another", access.OfRole{Principal: person(other), Creator: creator}, false, false, false},
		{"another under admins", access.OfRole{Principal: person(other), Creator: creator, AdminsEdit: true}, false, false, false},
		{"another, the creator gone", access.OfRole{Principal: person(other), Creator: creator, CreatorGone: true}, false, false, false},
		{"another, nobody's role", access.OfRole{Principal: person(other)}, true, false, false},
		{"an admin", access.OfRole{Principal: person(other), Creator: creator, Admin: true}, false, true, true},
		{"an admin under admins", access.OfRole{Principal: person(other), Creator: creator, Admin: true, AdminsEdit: true}, true, true, true},
		{"an admin, the creator gone", access.OfRole{Principal: person(other), Creator: creator, Admin: true, CreatorGone: true}, true, true, true},
		{"an admin who created it", access.OfRole{Principal: person(creator), Creator: creator, Admin: true}, true, true, true},
	}
	for _, tt := range tests {
		t.Run("ROL-10 "+tt.name, func(t *testing.T) {
			for action, err := range map[string]error{"edit": tt.of.Edit(), "delete": tt.of.Delete(), "transfer": tt.of.Transfer()} {
				want := map[string]bool{"edit": tt.edit, "delete": tt.delete, "transfer": tt.transfer}[action]
				if (err == nil) != want {
					t.Errorf("%s: %v, permitted: %t", action, err, want)
				}
			}
		})
	}
}
