// Reads an object with the AWS SDK for Go, version 1, once, or with `each` for each line of standard
// input: aws-1 ENDPOINT [each]. The client is made once and finds its credentials by itself.
package main

import (
	"bufio"
	"io"
	"log"
	"os"

	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/aws/session"
	"github.com/aws/aws-sdk-go/service/s3"
)

func main() {
	config := aws.NewConfig().WithEndpoint(os.Args[1]).WithS3ForcePathStyle(true)
	client := s3.New(session.Must(session.NewSession(config)))
	read := func() {
		input := s3.GetObjectInput{Bucket: aws.String("bucket"), Key: aws.String("go-1.csv")}
		output, err := client.GetObject(&input)
		if err != nil {
			log.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, output.Body); err != nil {
			log.Fatal(err)
		}
	}
	if len(os.Args) == 2 {
		read()
		return
	}
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		read()
	}
}
