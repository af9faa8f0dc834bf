package opstest

import (
	"regexp"
	"strings"
)

// A block is a piece of code on a page.
type block struct {
	line     int    // of its first line, from 1
	language string // of a fence, "" for none
	lines    []string
	notRun   string // the reason of a mark before it
}

// mark matches what says why a block is not run.
var mark = regexp.MustCompile(`^<!-- not run: (.+) -->$`)

// blocks returns the fenced and the indented code of a page.
func blocks(page string) (list []block) {
	lines := strings.Split(page, "\n")
	last, reason := "", ""
	for i := 0; i < len(lines); i++ {
		line := lines[i]
		if fence, fenced := strings.CutPrefix(line, "```"); fenced {
			b := block{line: i + 2, language: fence, notRun: reason}
			for i++; i < len(lines) && lines[i] != "```"; i++ {
				b.lines = append(b.lines, lines[i])
			}
			list, last, reason = append(list, b), line, ""
			continue
		}
		if strings.HasPrefix(line, "    ") && last == "" {
			b := block{line: i + 1, notRun: reason}
			for ; i < len(lines) && (strings.HasPrefix(lines[i], "    ") || lines[i] == ""); i++ {
				b.lines = append(b.lines, strings.TrimPrefix(lines[i], "    "))
			}
			list, last, reason = append(list, b), "", ""
			i-- // the line after the block is looked at again
			continue
		}
		if m := mark.FindStringSubmatch(line); m != nil {
			reason = m[1]
		} else if line != "" {
			reason = ""
		}
		last = line
	}
	return list
}

// isCommands reports whether a block is for a shell.
func (b *block) isCommands() bool {
	return b.language == "" || b.language == "sh" || b.language == "console"
}

// A command is one line for a shell, and what a transcript says it prints.
type command struct {
	line   int
	text   string
	prints []string
	shown  bool // in a transcript, where it prints exactly this
}

// commands returns the commands of a block. In a transcript they follow "$ ";
// elsewhere each line is one. Comments go, continued lines are joined, and so
// are those of a here-document (<<EOF).
func (b *block) commands() (list []command) {
	transcript := len(b.lines) > 0 && strings.HasPrefix(b.lines[0], "$ ")
	continued, document := false, false
	for i, line := range b.lines {
		text, isCommand := strings.CutPrefix(line, "$ ")
		switch {
		case document:
			list[len(list)-1].text += "\n" + line
			document = line != "EOF"
			continue
		case continued:
			last := &list[len(list)-1]
			last.text = strings.TrimSuffix(last.text, `\`) + strings.TrimSpace(line)
		case transcript && !isCommand:
			if line != "" {
				last := &list[len(list)-1]
				last.prints = append(last.prints, line)
			}
			continue
		case strings.TrimSpace(line) == "" || strings.HasPrefix(line, "#"):
			continue
		default:
			list = append(list, command{line: b.line + i, text: text, shown: transcript})
		}
		last := &list[len(list)-1]
		document = strings.HasSuffix(last.text, "<<EOF")
		if continued = strings.HasSuffix(last.text, `\`); !continued {
			last.text = strings.TrimSpace(regexp.MustCompile(`\s+# .*$`).ReplaceAllString(last.text, ""))
		}
	}
	return list
}
