// Package opstest holds what operators are given to the truth: the units, the
// image, the alerts and the dashboard of deploy/ are tried with the built
// binary, and the commands of README and docs are run.
// It has no code of its own outside its tests.
package opstest
