// Chats and responses with file_search through the openai package. One JSON object in, one out.
import OpenAI from 'openai';

const { url, model, store, question } = JSON.parse(process.argv[2]);
const client = new OpenAI({ baseURL: url, apiKey: 'none', maxRetries: 0 });
const messages = [{ role: 'user', content: question }];
const tools = [{ type: 'file_search', vector_store_ids: [store] }];
const said = {};

const { data, response } = await client.chat.completions.create({ model, messages, tools }).withResponse();
said.chat = { text: data.choices[0].message.content, status: response.headers.get('x-rag-status') };

let text = '';
for await (const chunk of await client.chat.completions.create({ model, messages, tools, stream: true })) {
  text += chunk.choices[0]?.delta?.content ?? '';
}
said.streamed = text;

said.response = await client.responses.create({ model, input: question, tools, include: ['file_search_call.results'] });
said.responseText = said.response.output_text;
const stream = client.responses.stream({ model, input: question, tools });
said.events = [];
for await (const event of stream) said.events.push([event.type, event.sequence_number]);
said.final = await stream.finalResponse();
said.embedding = (await client.embeddings.create({ model: 'all-MiniLM-L6-v2', input: 'The lid is blue.' })).data[0].embedding.length;
console.log(JSON.stringify(said));
