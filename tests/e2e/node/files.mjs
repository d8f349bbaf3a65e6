// Files, vector stores, batches and searches through the openai package. One JSON object in, one out.
import OpenAI, { toFile } from 'openai';

const { url } = JSON.parse(process.argv[2]);
const client = new OpenAI({ baseURL: url, apiKey: 'none', maxRetries: 0 });
const file = (name, text) => toFile(Buffer.from(text), name);
const all = async (pages) => {
  const entries = [];
  for await (const entry of pages) entries.push(entry);
  return entries;
};
const failure = async (call) => {
  try {
    await call();
  } catch (error) {
    return { type: error.constructor.name, status: error.status, code: error.code, param: error.param };
  }
  return null;
};
const said = {};

const created = await client.files.create({ file: await file('cellar.txt', 'The cellar is dry.'), purpose: 'assistants' });
said.created = created;
said.retrieved = await client.files.retrieve(created.id);
said.content = await (await client.files.content(created.id)).text();

const store = await client.vectorStores.create({ name: 'node', metadata: { by: 'node' }, file_ids: [created.id] });
said.polled = await client.vectorStores.files.poll(store.id, created.id);
said.uploaded = await client.vectorStores.files.uploadAndPoll(store.id, await file('attic.txt', 'The attic is damp.'));
said.updated = await client.vectorStores.files.update(said.uploaded.id, { vector_store_id: store.id, attributes: { floor: 3 } });
said.batch = await client.vectorStores.fileBatches.uploadAndPoll(store.id, {
  files: [await file('roof.txt', 'The roof is new.'), await file('shed.txt', 'The shed is locked.')],
});
said.inBatch = (await all(client.vectorStores.fileBatches.listFiles(said.batch.id, { vector_store_id: store.id, limit: 1 }))).length;
said.inStore = (await all(client.vectorStores.files.list(store.id, { limit: 3, order: 'asc', filter: 'completed' }))).length;
said.text = (await all(client.vectorStores.files.content(created.id, { vector_store_id: store.id }))).map((part) => part.text).join('');
said.found = await all(client.vectorStores.search(store.id, { query: 'What is damp?', max_num_results: 1 }));
said.filtered = await all(client.vectorStores.search(store.id, {
  query: 'Which part of the house?', filters: { type: 'and', filters: [{ type: 'gte', key: 'floor', value: 3 }] },
}));
said.changed = await client.vectorStores.update(store.id, { name: 'changed' });

said.refused = await failure(() => client.vectorStores.search(store.id, { query: 'x', max_num_results: 51 }));
said.deleted = await client.vectorStores.delete(store.id);
said.gone = await failure(() => client.vectorStores.retrieve(store.id));
said.deletedFile = await client.files.delete(created.id);
console.log(JSON.stringify(said));
