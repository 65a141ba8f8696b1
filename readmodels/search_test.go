package readmodels_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"rolewise/eventstore"
	"rolewise/internal/redistest"
	"rolewise/readmodels"
	"rolewise/readmodels/redis"
)

// crowd is how many members a plan of the benchmark has (SPEC MEM-4).
const crowd = 100_000

var (
	givenNames  = strings.Fields("Anna Ben Carla Dmitri Élodie Farid Greta Hüseyin Ines Jón Kateřina Łukasz María Nadia Olga Pedro Quinn Rosa Søren Tomás Ulla Viktor Wen Xenia Yusuf Zoë Marco Marta Max Mia")
	familySyll  = strings.Fields("an ber cor dal eck fen gar hol ing jan kov lund mar nov ols pet qui ros sch tan ung vos wal xi yil zim")
	searchWords = []string{"a", "an", "m", "ma", "mar", "max l", "ma ma", "jo k", "zoe ros", "anna", "member4242@", "so lu", "a a", "yusuf zimzim", "no such", "an x", "m xi", "member9"}
)

// BenchmarkSearch measures the search of members on Redis, with 100,000 of them; the words are of all kinds, those of
// which few of many fit included.
func BenchmarkSearch(b *testing.B) {
	models, err := redis.Open(b.Context(), redistest.Start(b))
	if err != nil {
		b.Fatal(err)
	}
	defer models.Close()
	fill(b, models)
	ask := readmodels.NewQueries(models, 1)
	for _, words := range searchWords {
		b.Run(words, func(b *testing.B) {
			var took []time.Duration
			found := 0
			for b.Loop() {
				began := time.Now()
				page, _, err := ask.Members(b.Context(), "acme", readmodels.MemberFilter{Search: words}, readmodels.Want{Limit: 50})
				if err != nil {
					b.Fatal(err)
				}
				took = append(took, time.Since(began))
				found = len(page.Items)
			}
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
			b.ReportMetric(float64(found), "found")
		})
	}
}

// fill writes the rows of a crowd as the directory would.
func fill(b *testing.B, models readmodels.Store) {
	b.Helper()
	random := rand.New(rand.NewPCG(1, 2))
	tx := readmodels.NewTx(models, readmodels.Directory)
	ctx := context.Background()
	for i := range crowd {
		id := fmt.Sprintf("01890a5d-ac96-774b-bcce-%012d", i)
		family := familySyll[random.IntN(len(familySyll))] + familySyll[random.IntN(len(familySyll))]
		row, err := readmodels.MemberRows.Edit(ctx, tx, "acme", id)
		if err != nil {
			b.Fatal(err)
		}
		*row = readmodels.MemberRow{
			Member: id, Name: givenNames[random.IntN(len(givenNames))] + " " + strings.ToUpper(family[:1]) + family[1:],
			Email: fmt.Sprintf("member%d@acme.example", i), Status: readmodels.Active, Teams: []readmodels.Membership{},
		}
		for _, entry := range readmodels.WordEntries(id, row.Name, row.Email) {
			tx.Add("acme", readmodels.MemberWordIndex, entry)
		}
		if i%2000 == 1999 {
			batch, err := tx.Batch()
			if err != nil {
				b.Fatal(err)
			}
			batch.After, batch.Checkpoint = eventstore.Position(i+1-2000), readmodels.Checkpoint{Position: eventstore.Position(i + 1), StoreID: "test"}
			if err := models.Commit(ctx, batch); err != nil {
				b.Fatal(err)
			}
		}
	}
}
