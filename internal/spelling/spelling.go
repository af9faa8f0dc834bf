// Package spelling guesses which word was meant by one that nobody knows, for
// messages about configuration files.
package spelling

import "strings"

// Nearest returns the word that is a slip of the keyboard away from s, whose
// letter case does not count: a third of its letters at most, and at least one.
// Of several the first counts. It returns "" when none is.
func Nearest(s string, words []string) string {
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
