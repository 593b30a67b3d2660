//! chaincode-sdk-testing
