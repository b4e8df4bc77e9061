// Go's net/http and bufio.Scanner as the rdev guide uses them, printing each line: URL PROJECT KEY COMMAND.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strings"
)

type outputEvent struct {
	Line   string `json:"line"`
	Stream string `json:"stream"`
}

type completeEvent struct {
	ExitCode int `json:"exit_code"`
}

func executeCommand(baseURL, projectID, apiKey, command string) (int, error) {
	client := &http.Client{}
	call := func(method, url, body string) (*http.Response, error) {
		req, _ := http.NewRequest(method, url, strings.NewReader(body))
		req.Header.Set("X-API-Key", apiKey)
		req.Header.Set("Content-Type", "application/json")
		return client.Do(req)
	}
	resp, err := call("POST", fmt.Sprintf("%s/projects/%s/shell", baseURL, projectID), fmt.Sprintf(`{"command": %q}`, command))
	if err != nil {
		return 1, err
	}
	var started struct {
		Data struct {
			ID string `json:"id"`
		} `json:"data"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&started); err != nil {
		return 1, err
	}
	resp.Body.Close()
	resp, err = call("GET", fmt.Sprintf("%s/projects/%s/events?stream_id=%s", baseURL, projectID, started.Data.ID), "")
	if err != nil {
		return 1, err
	}
	defer resp.Body.Close()
	scanner := bufio.NewScanner(resp.Body)
	var eventType string
	for scanner.Scan() {
		line := scanner.Text()
		if strings.HasPrefix(line, "event:") {
			eventType = strings.TrimSpace(line[6:])
		} else if strings.HasPrefix(line, "data:") {
			data := line[5:]
			switch eventType {
			case "output":
				var output outputEvent
				if err := json.Unmarshal([]byte(data), &output); err != nil {
					return 1, err
				}
				fmt.Printf("[%s] %s\n", output.Stream, output.Line)
			case "complete":
				var complete completeEvent
				err := json.Unmarshal([]byte(data), &complete)
				return complete.ExitCode, err
			}
		}
	}
	return 1, scanner.Err()
}

func main() {
	code, err := executeCommand(os.Args[1], os.Args[2], os.Args[3], os.Args[4])
	if err != nil {
		panic(err)
	}
	os.Exit(code)
}
