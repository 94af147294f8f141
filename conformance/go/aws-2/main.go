// Reads an object with the AWS SDK for Go, version 2, once, or with `each` for each line of standard
// input: aws-2 ENDPOINT [each]. The client is made once and finds its credentials by itself.
package main

import (
	"bufio"
	"context"
	"io"
	"log"
	"os"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

func main() {
	ctx := context.Background()
	loaded, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		log.Fatal(err)
	}
	client := s3.NewFromConfig(loaded, func(options *s3.Options) {
		options.BaseEndpoint = aws.String(os.Args[1])
		options.UsePathStyle = true
	})
	read := func() {
		input := s3.GetObjectInput{Bucket: aws.String("bucket"), Key: aws.String("go-2.csv")}
		output, err := client.GetObject(ctx, &input)
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
