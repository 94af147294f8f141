// Reads an object with the SDK's own chain, once, or with `each` for each line of standard input.
// The SDK lies where NODE_PATH would, which modules do not follow.
import { createRequire } from "node:module";
import { createInterface } from "node:readline";

const require = createRequire("/opt/javascript/");
const { GetObjectCommand, S3Client } = require("@aws-sdk/client-s3");

const client = new S3Client({ endpoint: process.argv[2], region: "eu-west-1", forcePathStyle: true });
const lines = process.argv[3] === "each" ? createInterface({ input: process.stdin }) : [""];
for await (const _ of lines) {
    const answer = await client.send(new GetObjectCommand({ Bucket: "bucket", Key: "javascript.csv" }));
    await answer.Body.transformToString();
}
