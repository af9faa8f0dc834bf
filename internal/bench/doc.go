// Package bench compares trackers: the same load against each in turn, round
// after round (A B A B), and what the server's processes took for each answered
// request. Machines are noisy, so it reports ratios within one run, with
// confidence intervals. It measures on Linux.
package bench
