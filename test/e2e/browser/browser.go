// Package browser drives a headless Chromium on a host of the lab, by the DevTools
// protocol over a pair of pipes, so that pages are tested as an operator's browser
// runs them: with their policy, their layout and a keyboard.
package browser

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"testing"
	"time"

	"spate/test/e2e/lab"
)

// callDeadline is how long the browser may take for one command.
const callDeadline = time.Minute

// A Page is the only tab of a browser of its own. It is for one goroutine.
type Page struct {
	Process *lab.Process

	commands *os.File // to the browser, each ended by a zero byte
	answers  *os.File // from it, in the same form
	reader   *bufio.Reader
	session  string
	id       int
	trouble  []string
}

// message is a command's answer or an event.
type message struct {
	ID     int             `json:"id"`
	Method string          `json:"method"`
	Params json.RawMessage `json:"params"`
	Result json.RawMessage `json:"result"`
	Error  *struct {
		Message string `json:"message"`
	} `json:"error"`
}

// Open starts a browser on the host and has it load url. It ends with the test.
func Open(t testing.TB, host *lab.Host, url string) *Page {
	t.Helper()
	toBrowser, commands := pipe(t)
	answers, fromBrowser := pipe(t)
	home := t.TempDir()
	p := &Page{commands: commands, answers: answers, reader: bufio.NewReader(answers)}
	// Chromium is many processes; in a PID namespace all are gone when the first is.
	p.Process = host.Start(t, lab.Command{
		Path: "unshare", Home: home,
		Args: []string{
			"--pid", "--mount-proc", "--kill-child", "--fork", "chromium", "--headless", "--no-sandbox", "--disable-gpu",
			"--disable-dev-shm-usage", "--disable-background-networking", "--no-first-run", "--no-proxy-server", "--log-level=3",
			"--remote-debugging-pipe", "--user-data-dir=" + home, "about:blank",
		},
		Files: []*os.File{toBrowser, fromBrowser},
	})
	t.Cleanup(func() { p.close(t) })
	// Only the browser has these ends now, so that its end is seen.
	for _, f := range []*os.File{toBrowser, fromBrowser} {
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
	var target struct{ TargetID string }
	p.call(t, "Target.createTarget", map[string]any{"url": "about:blank"}, &target)
	var attached struct{ SessionID string }
	p.call(t, "Target.attachToTarget", map[string]any{"targetId": target.TargetID, "flatten": true}, &attached)
	p.session = attached.SessionID
	for _, domain := range []string{"Page", "Runtime", "Log"} {
		p.call(t, domain+".enable", nil, nil)
	}
	p.Resize(t, 1280)
	p.call(t, "Page.navigate", map[string]any{"url": url}, nil)
	return p
}

// close ends the browser, and waits until its last process has left its directory.
func (p *Page) close(t testing.TB) {
	p.session = ""
	_ = p.try("Browser.close", nil, nil) // the answer may be cut off by the end
	select {
	case <-p.Process.Done():
	case <-time.After(callDeadline):
		t.Errorf("the browser did not end within %v", callDeadline)
	}
}

func pipe(t testing.TB) (r, w *os.File) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = r.Close() // one end is closed already
		_ = w.Close()
	})
	return r, w
}

// call sends a command and waits for its answer, whose result goes into result.
func (p *Page) call(t testing.TB, method string, params map[string]any, result any) {
	t.Helper()
	if err := p.try(method, params, result); err != nil {
		t.Fatalf("browser: %s: %v", method, err)
	}
}

func (p *Page) try(method string, params map[string]any, result any) error {
	p.id++
	command := map[string]any{"id": p.id, "method": method}
	if params != nil {
		command["params"] = params
	}
	if p.session != "" {
		command["sessionId"] = p.session
	}
	b, err := json.Marshal(command)
	if err != nil {
		return err
	}
	deadline := time.Now().Add(callDeadline)
	for _, f := range []*os.File{p.commands, p.answers} {
		if err := f.SetDeadline(deadline); err != nil {
			return err
		}
	}
	if _, err := p.commands.Write(append(b, 0)); err != nil {
		return err
	}
	for {
		m, err := p.read()
		switch {
		case err != nil:
			return err
		case m.ID != p.id:
			continue
		case m.Error != nil:
			return fmt.Errorf("%s", m.Error.Message)
		case result == nil:
			return nil
		}
		return json.Unmarshal(m.Result, result)
	}
}

// read takes the next message, and keeps what it says of trouble.
func (p *Page) read() (*message, error) {
	b, err := p.reader.ReadBytes(0)
	if err != nil {
		return nil, err
	}
	var m message
	if err := json.Unmarshal(b[:len(b)-1], &m); err != nil {
		return nil, err
	}
	switch m.Method {
	case "Runtime.exceptionThrown":
		p.trouble = append(p.trouble, string(m.Params))
	case "Log.entryAdded":
		var said struct {
			Entry struct{ Source, Level, Text string }
		}
		if err := json.Unmarshal(m.Params, &said); err != nil {
			return nil, err
		}
		// Of requests that fail the page is to tell by itself.
		if e := said.Entry; e.Level != "verbose" && e.Level != "info" && e.Source != "network" {
			p.trouble = append(p.trouble, e.Source+": "+e.Text)
		}
	}
	return &m, nil
}

// Trouble returns what the browser had to complain about so far: exceptions that
// nothing caught, and violations of the page's policy.
func (p *Page) Trouble() []string { return p.trouble }

// Eval returns the value of an expression, which may be a promise of it, in the page.
func Eval[T any](t testing.TB, p *Page, expression string) T {
	t.Helper()
	v, err := eval[T](p, expression)
	if err != nil {
		t.Fatalf("browser: %s: %v", expression, err)
	}
	return v
}

func eval[T any](p *Page, expression string) (value T, err error) {
	var answer struct {
		Result           struct{ Value json.RawMessage }
		ExceptionDetails *struct{ Exception struct{ Description string } }
	}
	params := map[string]any{"expression": expression, "awaitPromise": true, "returnByValue": true}
	if err := p.try("Runtime.evaluate", params, &answer); err != nil {
		return value, err
	}
	if e := answer.ExceptionDetails; e != nil {
		return value, fmt.Errorf("%s", e.Exception.Description)
	}
	return value, json.Unmarshal(answer.Result.Value, &value)
}

// Shows waits until an expression is true in the page; seen is one for what to say
// where it does not become so.
func (p *Page) Shows(t testing.TB, expression, seen string) {
	t.Helper()
	lab.Eventually(t, time.Minute, expression, func() error {
		if holds, err := eval[bool](p, expression); err != nil || holds {
			return err
		}
		now, err := eval[string](p, "String("+seen+")")
		if err != nil {
			return err
		}
		return fmt.Errorf("the page shows %q", now)
	}, p.Process)
}

// Resize gives the page another width, in CSS pixels.
func (p *Page) Resize(t testing.TB, width int) {
	t.Helper()
	p.call(t, "Emulation.setDeviceMetricsOverride", map[string]any{"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": false}, nil)
}

// Prefer sets the color scheme that the operator prefers, light or dark.
func (p *Page) Prefer(t testing.TB, scheme string) {
	t.Helper()
	p.call(t, "Emulation.setEmulatedMedia", map[string]any{"features": []map[string]string{{"name": "prefers-color-scheme", "value": scheme}}}, nil)
}

// Type enters text where the focus is.
func (p *Page) Type(t testing.TB, text string) {
	t.Helper()
	p.call(t, "Input.insertText", map[string]any{"text": text}, nil)
}

// Press presses a key by its name, such as Tab or ArrowLeft, and lets it go.
func (p *Page) Press(t testing.TB, key string) {
	t.Helper()
	codes := map[string]int{"Tab": 9, "Enter": 13, "ArrowLeft": 37, "ArrowRight": 39}
	if codes[key] == 0 {
		t.Fatalf("browser: no such key: %s", key)
	}
	params := map[string]any{"type": "keyDown", "key": key, "code": key, "windowsVirtualKeyCode": codes[key]}
	if key == "Enter" {
		params["text"] = "\r"
	}
	p.call(t, "Input.dispatchKeyEvent", params, nil)
	params["type"] = "keyUp"
	delete(params, "text")
	p.call(t, "Input.dispatchKeyEvent", params, nil)
}
