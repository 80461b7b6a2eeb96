// Does with the Node SDK what the story asks for: one command per line in, one answer per line out.
//
//     node hands.mjs URL

import { createInterface } from "node:readline";
import { InfisicalSDK } from "@infisical/sdk";

const sdk = new InfisicalSDK({ siteUrl: process.argv[2] });

const commands = {
  login: ({ clientId, clientSecret }) => sdk.auth().universalAuth.login({ clientId, clientSecret }).then(() => ({})),
  renew: () => sdk.auth().universalAuth.renew().then(() => ({})),
  list: (options) => sdk.secrets().listSecrets(options),
  get: (options) => sdk.secrets().getSecret(options),
  create: ({ secretName, ...options }) => sdk.secrets().createSecret(secretName, options).then(({ secret }) => secret),
  update: ({ secretName, ...options }) => sdk.secrets().updateSecret(secretName, options).then(({ secret }) => secret),
  delete: ({ secretName, ...options }) => sdk.secrets().deleteSecret(secretName, options).then(({ secret }) => secret),
  createProject: (options) => sdk.projects().create(options),
  createEnvironment: (options) => sdk.environments().create(options),
  createFolder: (options) => sdk.folders().create(options),
  listFolders: (options) => sdk.folders().listFolders(options),
};

for await (const line of createInterface({ input: process.stdin })) {
  const { do: name, ...options } = JSON.parse(line);
  let answer;
  try {
    answer = { done: await commands[name](options) };
  } catch (error) {
    answer = { refused: error.message };
  }
  console.log(JSON.stringify(answer));
}
