// Go's net/http and bufio.Scanner with its default limit of 64 KiB, as the rdev guide uses them.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
)

type outputEvent struct {
	Line   string `json:"line"`
	Stream string `json:"stream"`
}

type completeEvent struct {
	ExitCode   int `json:"exit_code"`
	DurationMs int `json:"duration_ms"`
}

type report struct {
	Seen    [][2]string    `json:"seen"`
	Result  *completeEvent `json:"result"`
	Refused string         `json:"refused,omitempty"`
}

func executeCommand(baseURL, projectID, command, apiKey string) (*report, error) {
	client := &http.Client{}
	// %q writes Go's syntax, which is not always JSON.
	reqBody := fmt.Sprintf(`{"command": %q}`, command)
	req, _ := http.NewRequest("POST", fmt.Sprintf("%s/projects/%s/shell", baseURL, projectID), strings.NewReader(reqBody))
	req.Header.Set("X-API-Key", apiKey)
	req.Header.Set("Content-Type", "application/json")
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode >= 400 {
		body, _ := io.ReadAll(resp.Body)
		return &report{Refused: fmt.Sprintf("%d %s", resp.StatusCode, body)}, nil
	}
	var started struct {
		Data struct {
			ID string `json:"id"`
		} `json:"data"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&started); err != nil {
		return nil, err
	}

	req, _ = http.NewRequest("GET", fmt.Sprintf("%s/projects/%s/events?stream_id=%s", baseURL, projectID, started.Data.ID), nil)
	req.Header.Set("X-API-Key", apiKey)
	resp, err = client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	seen := [][2]string{}
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
					return nil, err
				}
				seen = append(seen, [2]string{output.Stream, output.Line})
			case "complete":
				var complete completeEvent
				if err := json.Unmarshal([]byte(data), &complete); err != nil {
					return nil, err
				}
				return &report{Seen: seen, Result: &complete}, nil
			}
		}
	}
	return nil, scanner.Err()
}

func main() {
	result, err := executeCommand(os.Args[1], os.Args[2], os.Args[4], os.Args[3])
	if err != nil {
		panic(err)
	}
	json.NewEncoder(os.Stdout).Encode(result)
}
