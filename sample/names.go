package sample

import (
	"fmt"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// region is a set of names that go together.
type region struct{ first, last []string }

func names(first, last string) region {
	return region{strings.Fields(first), strings.Fields(last)}
}

// regions are common given and family names, put together at random: no person is meant.
var regions = []region{
	names("Emma Oliver Grace Henry Lucy George Amelia Thomas Ruby Edward Alice William Freya Arthur Nora Samuel",
		"Hughes Bennett Clarke Foster Harrison Mitchell Palmer Reid Saunders Turner Walsh Whitfield Barker Carver Dawson Ellis"),
	names("Lukas Hanna Jürgen Katrin Felix Jana Matthias Sabine Jonas Greta Björn Heike Moritz Ulrike Stefan Anke",
		"Weber Schäfer Köhler Vogel Brandt Lorenz Groß Seidel Böhm Krämer Ziegler Hartmann Pohl Engel Kühn Winter"),
	names("Camille Hugo Léa Antoine Chloé Étienne Manon Julien Océane Rémi Élodie Baptiste Margaux Théo Aurélie Gaël",
		"Moreau Lefèvre Garnier Rousseau Faure Mercier Blanchet Chevalier Fontaine Girard Lambert Noël Perrin Renaud Vasseur Béranger"),
	names("Lucía Mateo Sofía Diego Valentina Andrés Camila Javier Inés Álvaro Paula Sergio Martina Rubén Elena Joaquín",
		"Navarro Castillo Ibáñez Molina Ortega Peña Quintana Rivas Salazar Vargas Zamora Núñez Márquez Cordero Galván Lozano"),
	names("Giulia Marco Chiara Luca Francesca Matteo Elisa Davide Serena Paolo Ilaria Nicola Beatrice Stefano Marta Andrea",
		"Ricci Marini Conti Gallo Bruno Ferrara Leone Longo Martinelli Sala Serra Vitale Bianco Caruso Fabbri Testa"),
	names("Priya Arjun Ananya Rohan Kavya Vikram Meera Aditya Nisha Karthik Divya Sanjay Lakshmi Rahul Pooja Suresh",
		"Iyer Kapoor Menon Reddy Banerjee Chatterjee Desai Gupta Joshi Kulkarni Mehta Nair Patel Rao Shah Verma"),
	names("Haruka Kenji Yui Takumi Aiko Daiki Sakura Ren Mio Sota Naomi Hiroshi Emi Kaito Rina Yuto",
		"Tanaka Suzuki Kobayashi Yoshida Matsumoto Inoue Kimura Hayashi Shimizu Mori Ogawa Okada Ishikawa Fujita Nakajima Aoki"),
	names("Wei Mei Jian Xiu Hao Ling Jun Yan Tao Hui Bo Na Lei Fang Kai Qing",
		"Chen Zhang Liu Huang Zhou Wu Xu Sun Zhu Gao Lin Guo Luo Liang Song Deng"),
	names("Amina Kwame Zainab Chidi Fatou Kofi Ngozi Tunde Abena Sekou Wanjiru Juma Thandi Sipho Amara Babajide",
		"Okafor Mensah Diallo Adeyemi Kamau Nkosi Boateng Mwangi Sow Abiodun Dlamini Owusu Traoré Eze Otieno Ndiaye"),
	names("Leila Omar Yasmin Karim Nour Tariq Salma Hassan Rania Samir Dina Bilal Mariam Khalid Layla Ziad",
		"Haddad Mansour Nasser Khoury Saleh Farouk Rahman Aziz Bakri Darwish Fahmy Hamdan Jaber Kassem Najjar Sabbagh"),
	names("Zofia Jakub Hana Tomáš Oksana Andriy Magdalena Piotr Ivana Marek Katarzyna Miloš Natalia Wojciech Lenka Dmytro",
		"Kowalczyk Novák Wójcik Dvořák Zieliński Horák Kamiński Shevchenko Jovanović Petrović Kovač Lewandowski Bondarenko Svoboda Mazur Tkachenko"),
	names("Astrid Mikkel Saga Lars Ingrid Søren Linnea Anders Freja Nils Sigrid Øystein Maja Henrik Tuva Eero",
		"Lindqvist Nygård Dahl Berglund Kjær Solberg Holm Åkesson Virtanen Haugen Sørensen Ekström Lund Bakke Nieminen Østergaard"),
}

// person returns the name and e-mail address of the n-th member. The addresses of all members differ.
func (w *world) person(n int) (name, email string) {
	pairs := 0
	for _, r := range regions {
		pairs += len(r.first) * len(r.last)
	}
	// A step that shares no factor with the number of pairs visits each pair once before it starts again.
	step := 1 + 2*(pairs/5)
	for gcd(step, pairs) != 1 {
		step += 2
	}
	k := (n*step + int(w.hash("names", 0)%uint64(pairs))) % pairs
	for _, r := range regions {
		if size := len(r.first) * len(r.last); k >= size {
			k -= size
			continue
		}
		first, last := r.first[k%len(r.first)], r.last[k/len(r.first)]
		local := plain(first) + "." + plain(last)
		if lap := n / pairs; lap > 0 {
			local += fmt.Sprint(lap + 1)
		}
		return first + " " + last, local + "@acme.example"
	}
	panic("more pairs of names than there are")
}

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

var latin = strings.NewReplacer("ß", "ss", "ø", "o", "ł", "l", "æ", "ae", "đ", "d")

// plain returns a name in the letters that an e-mail address usually has.
func plain(name string) string {
	var b strings.Builder
	for _, r := range norm.NFD.String(latin.Replace(strings.ToLower(name))) {
		if !unicode.Is(unicode.Mn, r) {
			b.WriteRune(r)
		}
	}
	return b.String()
}
