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
		{Name: "MEM-1 reserve it once more, later", Given: []reservation.Event{reservation.Reserved{Owner: ada, Events: 2}}, When: reservation.Reserve{Owner: ada, Events: 3}, Then: []reservation.Event{reservation.Reserved{Owner: ada, Events: 3}}},
		{Name: "MEM-1 reserve it once more, late", Given: []reservation.Event{reservation.Reserved{Owner: ada, Events: 3}}, When: reservation.Reserve{Owner: ada, Events: 2}},
		{Name: "MEM-1 release", Given: []reservation.Event{reservation.Reserved{Owner: ada}}, When: reservation.Release{Owner: ada, Events: 1}, Then: []reservation.Event{reservation.Released{Owner: ada}}},
		{Name: "MEM-1 release what was reserved again since", Given: []reservation.Event{reservation.Reserved{Owner: ada, Events: 3}}, When: reservation.Release{Owner: ada, Events: 3}},
		{Name: "MEM-1 release another's", Given: []reservation.Event{reservation.Reserved{Owner: ada}}, When: reservation.Release{Owner: bob, Events: 1}},
		{Name: "MEM-1 release what nobody holds", When: reservation.Release{Owner: ada, Events: 1}},
	})
}

func TestFirstSchema(t *testing.T) {
	t.Run("OPS-7 a reservation of the first schema is an invitation's", func(t *testing.T) {
		event, err := reservation.Events.Decode("Reserved", 1, []byte(`{"owner":"`+ada+`"}`))
		if want := (reservation.Reserved{Owner: ada}); err != nil || event != want {
			t.Errorf("%+v, %v; want %+v", event, err, want)
		}
	})
}

func TestTitles(t *testing.T) {
	decidertest.Run(t, reservation.Titles, []decidertest.Case[reservation.Command, reservation.Event]{
		{Name: "ROL-1 reserve a title", When: reservation.Reserve{Owner: ada}, Then: []reservation.Event{reservation.Reserved{Owner: ada}}},
		{
			Name: "ROL-1 reserve it once more", Given: []reservation.Event{reservation.Reserved{Owner: ada}},
			When: reservation.Reserve{Owner: ada}, Then: []reservation.Event{reservation.Reserved{Owner: ada}},
		},
		{Name: "ROL-1 reserve another's", Given: []reservation.Event{reservation.Reserved{Owner: ada}}, When: reservation.Reserve{Owner: bob}, Refused: decidertest.Conflict("title_taken", "/title")},
		{Name: "ROL-5 release a title", Given: []reservation.Event{reservation.Reserved{Owner: ada}}, When: reservation.Release{Owner: ada}, Then: []reservation.Event{reservation.Released{Owner: ada}}},
		{Name: "ROL-5 release another's", Given: []reservation.Event{reservation.Reserved{Owner: ada}}, When: reservation.Release{Owner: bob}},
	})
}
