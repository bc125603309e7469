-- A small database in the form of the hub before this one. $1 to $3 stand for sealed secrets.
CREATE TABLE AiProviders (id VARCHAR(40) PRIMARY KEY, name TEXT UNIQUE, displayName TEXT, baseUrl TEXT,
  region TEXT, enabled TINYINT(1), config JSON, createdBy TEXT, createdAt DATETIME, updatedAt DATETIME);
CREATE TABLE AiCredentials (id VARCHAR(40) PRIMARY KEY, providerId TEXT, name TEXT, credentialValue JSON,
  credentialType TEXT, active TINYINT(1), usageCount INTEGER, lastUsedAt DATETIME, error TEXT, weight INTEGER,
  createdAt DATETIME, updatedAt DATETIME);
CREATE TABLE AiModelRates (id VARCHAR(40) PRIMARY KEY, providerId TEXT, model TEXT, modelDisplay TEXT,
  description TEXT, type TEXT, inputRate DECIMAL(20,10), outputRate DECIMAL(20,10), unitCosts JSON, caching JSON,
  modelMetadata JSON, deprecated TINYINT(1));
CREATE TABLE ModelCalls (id VARCHAR(40) PRIMARY KEY, providerId TEXT, credentialId TEXT, model TEXT, type TEXT,
  totalUsage INTEGER, usageMetrics JSON, credits DECIMAL(20,8), status TEXT, duration DECIMAL(10,1), ttfb INTEGER,
  errorReason TEXT, appDid TEXT, userDid TEXT, requestId TEXT, callTime INTEGER, createdAt DATETIME);

INSERT INTO AiProviders (id, name, displayName, baseUrl, region, enabled) VALUES
  ('100', 'openai', 'OpenAI', 'https://api.openai.com/v1', NULL, 1),
  ('101', 'anthropic', 'Anthropic', 'https://proxy.example.com/anthropic/', NULL, 0),
  ('102', 'bedrock', 'AWS Bedrock', '', 'eu-central-1', 1),
  ('103', 'ideogram', 'Ideogram', 'https://api.ideogram.ai', NULL, 1),
  ('104', 'deepseek', 'DeepSeek', 'https://api.deepseek.com', NULL, 1);
INSERT INTO AiCredentials (id, providerId, name, credentialValue, credentialType, active, weight) VALUES
  ('200', '100', 'Main key', '{"api_key":"$1"}', 'api_key', 1, 100),
  ('201', '100', 'Main key', '{"api_key":"$2"}', 'api_key', 0, 0),
  ('202', '102', 'AWS', '{"access_key_id":"AKIAOLDHUB","secret_access_key":"$3"}', 'access_key_pair', 1, 1),
  ('203', '101', 'plain', '{"api_key":"sk-plain-canary-3"}', 'api_key', 1, NULL),
  ('204', '103', 'lost', '{"api_key":"sk-x"}', 'api_key', 1, 1),
  ('205', '104', 'other words', '{"api_key":"U2FsdGVkX1+mAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="}', 'api_key', 1, 1),
  ('206', '104', 'strange', '{"token":"x"}', 'custom', 1, 1);
INSERT INTO AiModelRates (id, providerId, model, type, inputRate, outputRate, unitCosts, deprecated) VALUES
  ('300', '100', 'gpt-4o-mini', 'chatCompletion', 0.0000002, 0.0000006, '{"input":1.5e-7,"output":6e-7}', 0),
  ('301', '100', 'house-model-1', 'chatCompletion', 1, 1, '{"input":0.0000025,"output":0.00001}', 0),
  ('302', '100', 'house-old', 'chatCompletion', 1, 1, '{"input":1,"output":1}', 1),
  ('303', '100', 'house-free', 'chatCompletion', 0, 0, '{"input":0,"output":0}', 0);
INSERT INTO ModelCalls (id, providerId, credentialId, model, type, totalUsage, usageMetrics, credits, status,
  duration, ttfb, errorReason, appDid, userDid, requestId, callTime) VALUES
  ('400', '100', '200', 'gpt-4o-mini', 'chatCompletion', 1200, '{"inputTokens":1000,"outputTokens":200}',
    0.00027, 'success', 1.2, 340, NULL, 'zApp', 'zAnn', 'req-1', 1735689600),
  ('401', '100', '200', 'gpt-4o-mini', 'chatCompletion', 300, NULL, 0.0001, 'success', 0.8, NULL, NULL, 'zApp',
    'zBob', 'req-2', 1735776000),
  ('402', '101', '203', 'claude', 'chatCompletion', 0, NULL, 0, 'failed', 3, NULL, 'Rate Limit Exceeded', 'zApp',
    'zAnn', 'req-3', 1735776001),
  ('403', '100', '200', NULL, 'chatCompletion', 0, NULL, 0, 'failed', 3, NULL, 'x', NULL, NULL, NULL, 1735776002);
