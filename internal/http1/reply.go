package http1

import "strconv"

// Connection is what a reply says about its connection.
type Connection uint8

// What a reply can say. Replies are HTTP/1.1, whose default is to keep.
const (
	// ConnectionDefault sends no Connection line: kept, and the client's
	// version is 1.1.
	ConnectionDefault Connection = iota
	// ConnectionClose sends Connection: close.
	ConnectionClose
	// ConnectionKeepAlive sends Connection: keep-alive, which an HTTP/1.0
	// client that asked for it needs to see.
	ConnectionKeepAlive
)

// Connection returns what the reply to h says when the connection is kept, or
// closed.
func (h *Head) Connection(keep bool) Connection {
	switch {
	case !keep:
		return ConnectionClose
	case h.Proto10:
		return ConnectionKeepAlive
	}
	return ConnectionDefault
}

// The constant part of every reply head, up to the digits of its length, which
// come last so that everything before them is one copy.
const (
	replyLine   = "HTTP/1.1 "
	replyType   = "\r\nContent-Type: text/plain"
	replyClose  = "\r\nConnection: close"
	replyKeep   = "\r\nConnection: keep-alive"
	replyLength = "\r\nContent-Length: "
	replyAllow  = "\r\nAllow: GET, HEAD"

	status200 = replyLine + "200 OK" + replyType
	status400 = replyLine + "400 Bad Request" + replyType
	status404 = replyLine + "404 Not Found" + replyType
	status405 = replyLine + "405 Method Not Allowed" + replyType + replyAllow
	status408 = replyLine + "408 Request Timeout" + replyType
	status414 = replyLine + "414 URI Too Long" + replyType
	status429 = replyLine + "429 Too Many Requests" + replyType
	status431 = replyLine + "431 Request Header Fields Too Large" + replyType
	status500 = replyLine + "500 Internal Server Error" + replyType
	status503 = replyLine + "503 Service Unavailable" + replyType
)

// AppendReplyHead appends the head of a reply with a body of contentLength
// bytes, its blank line included. The statuses are 200, 400, 404, 405 (which
// says what is allowed), 408, 414, 429, 431, 500 and 503; any other becomes
// 500. A reply to HEAD has the head of the reply to GET.
func AppendReplyHead(dst []byte, status, contentLength int, c Connection) []byte {
	if status == 200 {
		switch c {
		case ConnectionClose:
			dst = append(dst, status200+replyClose+replyLength...)
		case ConnectionKeepAlive:
			dst = append(dst, status200+replyKeep+replyLength...)
		default:
			dst = append(dst, status200+replyLength...)
		}
	} else {
		dst = append(dst, statusHead(status)...)
		switch c {
		case ConnectionClose:
			dst = append(dst, replyClose+replyLength...)
		case ConnectionKeepAlive:
			dst = append(dst, replyKeep+replyLength...)
		default:
			dst = append(dst, replyLength...)
		}
	}
	dst = strconv.AppendUint(dst, uint64(max(contentLength, 0)), 10)
	return append(dst, "\r\n\r\n"...)
}

// statusHead returns the constant head of a status other than 200.
func statusHead(status int) string {
	switch status {
	case 400:
		return status400
	case 404:
		return status404
	case 405:
		return status405
	case 408:
		return status408
	case 414:
		return status414
	case 429:
		return status429
	case 431:
		return status431
	case 503:
		return status503
	}
	return status500
}
