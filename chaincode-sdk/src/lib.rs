//! chaincode-sdk
