package acceptance

import (
	"fmt"

	"rolewise/commands/catalogimport"
)

// What the script is about. All ids are the client's own.
var (
	adviser     = id(1) // the role "Tax Adviser"
	tax, east   = id(11), id(12)
	ada, bob    = id(21), id(22)
	cem, dana   = id(23), id(24)
	eve, fay    = id(25), id(26)
	preparers   = catalogimport.ID("role", "13-2082.00")
	programmers = catalogimport.ID("role", "15-1131.00")
	cleaners    = catalogimport.ID("role", "53-7061.00")

	listening  = catalogimport.ID("skill", "2.A.1.b")
	reading    = catalogimport.ID("skill", "2.A.1.a")
	thinking   = catalogimport.ID("skill", "2.A.2.a")
	quickbooks = catalogimport.ID("technology", "Intuit QuickBooks")
	access     = catalogimport.ID("technology", "Microsoft Access")
	excel      = catalogimport.ID("technology", "Microsoft Excel")
	office     = catalogimport.ID("technology", "Microsoft Office software")
	outlook    = catalogimport.ID("technology", "Microsoft Outlook")
	word       = catalogimport.ID("technology", "Microsoft Word")
)

// north is the plan of the script.
const north = "north"

// id returns the n-th id of the client's making, a UUID of version 7.
func id(n int) string { return fmt.Sprintf("01890a5d-ac96-774b-bcce-b3020991%04d", n) }

// day is noon of a day in 2025.
func day(month, day int) string { return fmt.Sprintf("2025-%02d-%02dT12:00:00Z", month, day) }

// given lists all ids and times that the script sends, so that a transcript keeps them.
func given() []string {
	all := []string{
		preparers, programmers, cleaners, listening, reading, thinking, quickbooks, access, excel, office, outlook, word,
	}
	for n := range 100 {
		all = append(all, id(n))
	}
	for month := 1; month <= 12; month++ {
		for d := 1; d <= 28; d++ {
			all = append(all, day(month, d))
		}
	}
	return all
}
