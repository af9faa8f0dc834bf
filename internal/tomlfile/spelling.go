package tomlfile

import "strings"

// nearest returns the word that was probably meant by s: the one that differs in the
// fewest letters, without regard to letter case, the first of several. It may differ in
// a third of the letters of s, and always in one. It returns "" when none is so near.
func nearest(s string, words []string) string {
	best, bestDistance := "", max(1, len(s)/3)+1
	for _, w := range words {
		if d := distance(strings.ToLower(s), w); d < bestDistance {
			best, bestDistance = w, d
		}
	}
	return best
}

// distance is the number of letters to insert, delete or change (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
