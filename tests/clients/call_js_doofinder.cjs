// Call js-doofinder: reads one call per line as JSON, and writes what the library gave to the callback.
// The argument is the folder node_modules. The package's main module needs a browser, these two do not.
const path = require("node:path");
const readline = require("node:readline");

const library = path.join(process.argv[2], "doofinder", "lib");
const Client = require(path.join(library, "client"));
const Stats = require(path.join(library, "stats"));

function call({ call: name, hashid, options, method, parameters }) {
  return new Promise((resolve) => {
    const client = new Client(hashid, options);
    if (method) {
      client.requestOptions.method = method;
    }
    setTimeout(() => resolve({ raised: ["no callback", 0, ""] }), 30_000).unref();
    const target = name === "stats" ? client : new Stats(client);
    target[name](...parameters, (error, returned) =>
      resolve(error ? { raised: ["error", error.statusCode, error.error] } : { returned }),
    );
  });
}

(async () => {
  for await (const line of readline.createInterface({ input: process.stdin })) {
    process.stdout.write(`${JSON.stringify(await call(JSON.parse(line)))}\n`);
  }
})();
