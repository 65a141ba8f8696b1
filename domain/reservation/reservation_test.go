package reservation_test

import (
	"testing"

	"rolewise/domain/decidertest"
	"rolewise/domain/reservation"
)

const (
	ada = "01890a5d-ac96-774b-bcce-b30209900001"
	bob = "01890a5d-ac96-774b-bcce-b30209900002"
)

func TestReservation(t *testing.T) {
	decidertest.Run(t, reservation.Emails, []decidertest.Case[reservation.Command, reservation.Event]{
		{Name: "MEM-1 reserve an e-mail", When: reservation.Reserve{Owner: ada}, Then: []reservation.Event{reservation.Reserved{Owner: ada}}},
		{Name: "MEM-1 reserve it again", Given: []reservation.Event{reservation.Reserved{Owner: ada}}, When: reservation.Reserve{Owner: ada}},
		{Name: "MEM-1 reserve another's", Given: []reservation.Event{reservation.Reserved{Owner: ada}}, When: reservation.Reserve{Owner: bob}, Refused: decidertest.Conflict("email_taken", "/email")},
		{
			Name: "MEM-1 reserve one whose owner never came to be", Given: []reservation.Event{reservation.Reserved{Owner: ada}},
			When: reservation.Reserve{Owner: bob, Free: true}, Then: []reservation.Event{reservation.Reserved{Owner: bob}},
		},
		{
			Name: "MEM-1 reserve a released one", Given: []reservation.Event{reservation.Reserved{Owner: ada}, reservation.Released{Owner: ada}},
			When: reservation.Reserve{Owner: bob}, Then: []reservation.Event{reservation.Reserved{Owner: bob}},
		},
		{Name: "MEM-1 release", Given: []reservation.Event{reservation.Reserved{Owner: ada}}, When: reservation.Release{Owner: ada}, Then: []reservation.Event{reservation.Released{Owner: ada}}},
		{Name: "MEM-1 release another's", Given: []reservation.Event{reservation.Reserved{Owner: ada}}, When: reservation.Release{Owner: bob}},
		{Name: "MEM-1 release what nobody holds", When: reservation.Release{Owner: ada}},
	})
	decidertest.Run(t, reservation.Titles, []decidertest.Case[reservation.Command, reservation.Event]{
		{Name: "ROL-1 reserve a title", When: reservation.Reserve{Owner: ada, Again: true}, Then: []reservation.Event{reservation.Reserved{Owner: ada}}},
		{
			Name: "ROL-1 reserve it once more", Given: []reservation.Event{reservation.Reserved{Owner: ada}},
			When: reservation.Reserve{Owner: ada, Again: true}, Then: []reservation.Event{reservation.Reserved{Owner: ada}},
		},
		{Name: "ROL-1 reserve another's", Given: []reservation.Event{reservation.Reserved{Owner: ada}}, When: reservation.Reserve{Owner: bob, Again: true}, Refused: decidertest.Conflict("title_taken", "/title")},
	})
}
